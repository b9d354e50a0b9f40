import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Option } from '../../src/config/option.ts';
import { formatAddress, parseAddress } from '../../src/config/parse-address.ts';
import { parseDuration } from '../../src/config/parse-duration.ts';
import { parseSize } from '../../src/config/parse-size.ts';
import { expectation, parseValue } from '../../src/config/parse-value.ts';

const option = (kind: Option['kind']): Option => ({ flag: 'x', kind, targets: ['edge'], group: '', help: '' });

test('durations carry their unit', () => {
  expect(['0', '250ms', '60s', '1.5s', '15m', '24h', '7d'].map(parseDuration)).toEqual([
    0, 250, 60_000, 1500, 900_000, 86_400_000, 604_800_000,
  ]);
  expect(['', '60', '-1s', '1 s', '1w', 's', '1e3s', 'Infinitys'].map(parseDuration)).toEqual(Array(8).fill(undefined));
});

test('sizes are bytes, in powers of 1000 or of 1024 as their unit says', () => {
  expect(['0', '1000', '64B', '1KB', '1KiB', '64MiB', '1.5GiB', '2TiB'].map(parseSize)).toEqual([
    0,
    1000,
    64,
    1000,
    1024,
    64 * 2 ** 20,
    1.5 * 2 ** 30,
    2 * 2 ** 40,
  ]);
  expect(['', '-1', '1 KiB', '64M', '64mib', 'KiB'].map(parseSize)).toEqual(Array(6).fill(undefined));
});

test('a size may have bounds', () => {
  const bounded = { ...option('size'), between: [1000, 2000] as const };
  expect(['999', '1000', '2KB', '2001'].map((text) => parseValue(bounded, text))).toEqual([
    undefined,
    1000,
    2000,
    undefined,
  ]);
  expect(expectation(bounded)).toBe('a size such as 64MiB, 4GiB or 1000 (bytes), from 1000 to 2000 bytes');
});

test('an address is read as it is written', () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().filter((ip) => ip.includes(':')),
  );
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
      expect(parseAddress(formatAddress({ host: name, port }))).toEqual({ host: name, port });
    }),
  );
  const bad = ['', 'host', ':1', 'host:', 'host:65536', 'host:x', '::1:80', 'a b:1', 'http://a:1'];
  expect(bad.map(parseAddress)).toEqual(Array(bad.length).fill(undefined));
});

test('a location lies on the globe', () => {
  expect(parseValue(option('location'), '38.9,-77.4')).toEqual([38.9, -77.4]);
  for (const text of ['91,0', '0,181', '1', '1,2,3', 'a,b'])
    expect(parseValue(option('location'), text)).toBeUndefined();
});

test('how values travel is one of three modes', () => {
  expect(
    ['all', 'none', 'inline:1KiB', 'inline', 'inline:x', 'some'].map((t) => parseValue(option('values'), t)),
  ).toEqual([{ kind: 'all' }, { kind: 'none' }, { kind: 'inline', bytesMax: 1024 }, undefined, undefined, undefined]);
});

test('a switch is true or false, or 1 or 0 as container tools write it', () => {
  expect(['true', '1', 'false', '0'].map((text) => parseValue(option('boolean'), text))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(['yes', 'TRUE', '', '2'].map((text) => parseValue(option('boolean'), text))).toEqual(Array(4).fill(undefined));
});

test('what may be cached is titles, their beginnings, or prefixes of one', () => {
  for (const text of ['*', 'flags', 'team-*', 'flags/beta/*', 'team-*/app/*']) {
    expect(parseValue(option('pattern'), text)).toBe(text);
  }
  for (const text of ['', '*-a', 'a*/b', 'a/b*/c*', '**'])
    expect(parseValue(option('pattern'), text), text).toBeUndefined();
});

test('the rights of a certificate name what they are for, and where', () => {
  const parse = (text: string) => parseValue(option('certificate'), text);
  expect(parse('edge-*.example.org=replicate')).toEqual({
    name: 'edge-*.example.org',
    scope: { namespace: '*', prefix: '', rights: ['replicate'] },
  });
  expect(parse('spiffe://x/app=read+write@shop-*/app/*')).toEqual({
    name: 'spiffe://x/app',
    scope: { namespace: 'shop-*', prefix: 'app/', rights: ['read', 'write'] },
  });
  expect(parse('a=list@config')).toEqual({
    name: 'a',
    scope: { namespace: 'config', prefix: '', rights: ['list'] },
  });
  const bad = ['', 'a', 'a=', '=read', 'a=reed', 'a=read+', 'a=read,write', 'a=read@', 'a=read@x/app', '*-*=read'];
  expect(bad.map(parse)).toEqual(Array(bad.length).fill(undefined));
});
