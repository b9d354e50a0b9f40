import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileFormat, formatOf } from '../../../src/cli/formats/file-format.ts';
import type { ImportRecord } from '../../../src/cli/formats/import-record.ts';
import { readCsv } from '../../../src/cli/formats/read-csv.ts';
import { readObjects } from '../../../src/cli/formats/read-objects.ts';
import { readRecords } from '../../../src/cli/formats/read-records.ts';
import { closingText, type ExportRecord, recordText } from '../../../src/cli/formats/write-records.ts';
import type { UsageError } from '../../../src/cli/usage-error.ts';

/** The bytes cut into chunks of that size, so that every boundary falls everywhere once. */
async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
}

function textOf(format: FileFormat, records: readonly ExportRecord[]): string {
  const texts = records.map((record, i) => recordText(format, record, i === 0));
  return texts.join('') + closingText(format, records.length);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const read = (format: FileFormat, text: string | Uint8Array, chunkBytes = 7): Promise<ImportRecord[]> => {
  const chunks = chunksOf(Buffer.from(text), chunkBytes);
  return all(format === 'csv' ? readCsv(chunks, {}) : readObjects(chunks));
};

const record: fc.Arbitrary<ExportRecord> = fc.record({
  name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
  ),
  metadataText: fc.option(
    fc
      .jsonValue()
      .filter((value) => value !== null)
      .map((value) => JSON.stringify(value)),
    { nil: null },
  ),
  expiration: fc.option(fc.integer({ min: 1, max: 253_402_300_799 }), { nil: null }),
});

describe.each(['ndjson', 'csv', 'workers-kv'] as const)('%s', (format) => {
  test('what is exported is imported again, bytes, metadata and expiry, however the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), async (records, size) => {
        const text = textOf(format, records);
        const again = await read(format, text, size);
        const expected = records.map(({ name, value, metadataText, expiration }) => ({
          key: name,
          value: Buffer.from(value).toString('hex'),
          metadataText: metadataText ?? undefined,
          expiration: expiration ?? undefined,
        }));
        const seen = again.map(({ key, value, metadataText, expiration }) => ({
          key,
          value: Buffer.from(value).toString('hex'),
          metadataText,
          expiration,
        }));
        expect(seen).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

test('the bulk form of Workers KV is one array, also of nothing', () => {
  expect(JSON.parse(textOf('workers-kv', []))).toEqual([]);
  const value = Uint8Array.of(0xff, 0x00);
  expect(JSON.parse(textOf('workers-kv', [{ name: 'k', value, metadataText: '{"a":1}', expiration: 9 }]))).toEqual([
    { key: 'k', value: '/wA=', base64: true, expiration: 9, metadata: { a: 1 } },
  ]);
});

test('braces, quotes and backslashes inside texts end no object', async () => {
  const value = '}{"\\"}]\\';
  const [first] = await read('ndjson', `${JSON.stringify({ key: 'k', value })}\n`, 1);
  expect(Buffer.from(first?.value ?? []).toString()).toBe(value);
});

test('a byte order mark is skipped', async () => {
  expect(await read('ndjson', '\ufeff{"key":"a","value":"1"}', 2)).toHaveLength(1);
  expect(await read('csv', '\ufeffkey,value\na,1\n', 2)).toHaveLength(1);
});

test('what is no record is refused with its place', async () => {
  await expect(read('ndjson', '{"key":"a","value":"1"}\noops')).rejects.toThrow('stands between objects');
  await expect(read('ndjson', '{"key":"a","value":"1"}\n{"key":')).rejects.toThrow('ends within record 2');
  await expect(read('ndjson', '{"value":"1"}')).rejects.toThrow('record 1 has no "key"');
  await expect(read('ndjson', '{"key":"a"}')).rejects.toThrow('record 1 has no "value"');
  await expect(read('ndjson', '{"key":"a","value":"","expiration":1.5}')).rejects.toThrow('whole seconds');
  const broken = '{"key":"a","value":"not, base64","base64":true}';
  await expect(read('ndjson', broken)).rejects.toThrow('record 1: "value" is said to be base64 and is not');
  await expect(read('csv', 'key,value\na,{"b":1}\n')).rejects.toThrow('no sound CSV');
  await expect(read('csv', 'key,value\na\n')).rejects.toThrow('no sound CSV');
  await expect(read('csv', 'a,b\n1,2\n')).rejects.toThrow('no column "key"');
});

test.each([
  '{"key":"a","val',
  '{"key":"a"',
  '{"key":"a","value":"1"',
  '{"key":"a","value":"x\\',
  '{"key":"a","value":[1]',
])('an object that is cut off, such as %s, does not take those on the next lines with it', async (cut) => {
  const text = `${cut}\n{"key":"b","value":"1"}\n{"key":"c","value":\n{"d":[\n{}\n]}}\n`;
  for (const size of [1, 7, 1000]) {
    await expect(read('ndjson', text, size)).rejects.toThrow('record 1 is no JSON');
    const unread = (why: UsageError, bytes: string | Uint8Array) => ({ key: `${bytes}: ${why.message}` });
    const records = await all(readObjects(chunksOf(Buffer.from(text), size), { unread }));
    const keys = records.map(({ key }) => key);
    expect(keys).toEqual([expect.stringContaining(': record 1 is no JSON'), 'b', 'c']);
    expect(keys[0]?.startsWith(`${cut}\n: `)).toBe(true);
  }
});

test.each([
  ['7\n', ['7']],
  ['"a, {text]}"\n', ['"a, {text]}"']],
  ['null\n', ['null']],
  ['true', ['true']],
  ['no JSON {"key":"x"}\n', ['no JSON {"key":"x"}']],
  ['[1, "a,]\\"{", [null]]\n', ['1', '"a,]\\"{"', 'null']],
  ['[7,{"key":"in","value":"1"},8]\n', ['7', 'in', '8']],
])('what stands in the place of an object can be passed by, and takes no other with it: %j', async (stray, found) => {
  const text = `{"key":"a","value":"1"}\n${stray}`;
  const behind = stray.endsWith('\n') ? '{"key":"b","value":"2"}\n' : '';
  for (const size of [1, 3, 1000]) {
    const unread = (why: UsageError, bytes: string | Uint8Array) => ({ key: `${bytes}`, why: why.message });
    const records = await all(readObjects(chunksOf(Buffer.from(text + behind), size), { unread }));
    expect(records.map(({ key }) => key)).toEqual(['a', ...found, ...(behind === '' ? [] : ['b'])]);
    const whys = records.flatMap((record, index) => ('why' in record ? [[record.why, index + 1]] : []));
    for (const [why, number] of whys) expect(why).toBe(`record ${number} is no object`);
    await expect(read('ndjson', text + behind, size)).rejects.toThrow('stands between objects');
  }
});

test('what stands in the place of an object of etcd or Consul can be passed by', async () => {
  const unread = (why: UsageError) => ({ key: why.message });
  const reading = { unread, note: () => {} };
  const read = (format: 'etcd' | 'consul', text: string) =>
    all(readRecords(chunksOf(Buffer.from(text), 5), { ...reading, format }));
  const consul = await read('consul', '[1,{"key":"a","flags":0,"value":"YQ=="},null]');
  expect(consul.map(({ key }) => key)).toEqual(['record 1 is no object', 'a', 'record 3 is no object']);
  const etcd = await read('etcd', '{"header":{"revision":1},"kvs":["x",{"key":"YQ==","value":"YQ=="}],"count":2}');
  expect(etcd.map(({ key }) => key)).toEqual(['record 1 is no object', 'a']);
});

test('lines of a CSV may end in different ways, which become no part of a value', async () => {
  for (const size of [1, 2, 3, 100]) {
    const records = await read('csv', 'key,value\na,1\r\nb,"2\r\n\r"\nc,3\r\n', size);
    expect(records.map(({ key, value }) => `${key}=${value}`)).toEqual(['a=1', 'b=2\r\n\r', 'c=3']);
  }
});

test('a CSV whose heading says the same twice is refused where that matters', async () => {
  await expect(read('csv', 'key,value,value\na,1,2\n')).rejects.toThrow('two columns "value"');
  await expect(read('csv', 'key,value,metadata,metadata\na,1,2,3\n')).rejects.toThrow('two columns "metadata"');
  const whole = readCsv(chunksOf(Buffer.from('a,1,2'), 7), { columns: ['key', 'n', 'n'] });
  await expect(all(whole)).rejects.toThrow('two columns "n"');
  expect(await read('csv', 'key,value,,,note,note\na,1,,,x,y\n')).toHaveLength(1);
});

test('an array that does not end is cut off, and is not taken for whole', async () => {
  const one = '{"key":"a","value":"1"}';
  await expect(read('workers-kv', `[${one},\n${one}`)).rejects.toThrow('ends within its array, behind record 2');
  expect(await read('workers-kv', `[${one},\n${one}]`)).toHaveLength(2);
  expect(await read('ndjson', `${one}\n${one}`)).toHaveLength(2);
});

test('a CSV row without a value column is imported whole, as JSON', async () => {
  const chunks = chunksOf(Buffer.from('1.0.0.0,1.0.0.255,AU\n'), 5);
  const [first] = await all(readCsv(chunks, { columns: ['start', 'end', 'country'], keyColumn: 'start' }));
  expect(first?.key).toBe('1.0.0.0');
  expect(JSON.parse(Buffer.from(first?.value ?? []).toString())).toEqual({
    start: '1.0.0.0',
    end: '1.0.0.255',
    country: 'AU',
  });
});

test('the format is the one named, else the one that the name ends with', () => {
  expect(formatOf(undefined, 'a/b.CSV')).toBe('csv');
  expect(formatOf(undefined, 'x.jsonl')).toBe('ndjson');
  expect(formatOf('csv', 'x.json')).toBe('csv');
  expect(() => formatOf(undefined, 'x.txt')).toThrow('--format is missing');
  expect(() => formatOf(undefined, '-')).toThrow('--format is missing');
});

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const latin1Of = (text: string | Uint8Array) =>
  typeof text === 'string' ? text : Buffer.from(text).toString('latin1');

test.each([1, 2, 3, 7, 64])('what is no UTF-8 is refused with its record and byte, in chunks of %i', async (size) => {
  const lines = '{"key":"é","value":"1"}\n{"key":"caf\xe9","value":"2"}\n';
  const bad = Buffer.concat([Buffer.from(lines.slice(0, 24)), latin1(lines.slice(24))]);
  await expect(read('ndjson', bad, size)).rejects.toThrow('record 2 is no UTF-8: byte 37 is 0xe9 of the file');
  const rows = Buffer.concat([Buffer.from('key,value\né,1\n'), latin1('caf\xe9,2\nb,3\n')]);
  await expect(read('csv', rows, size)).rejects.toThrow('row 2 is no UTF-8: byte 19 is 0xe9 of the file');
  const split = latin1('key,value\n"a\nb","c\nd\xff"\n');
  await expect(read('csv', split, size)).rejects.toThrow('row 1 is no UTF-8: byte 21 is 0xff of the file');
  const cutOff = Buffer.concat([Buffer.from('key,value\na,'), Buffer.from('é').subarray(0, 1)]);
  await expect(read('csv', cutOff, size)).rejects.toThrow('row 1 is no UTF-8: byte 13 is 0xc3 of the file');
});

test.each([1, 2, 3, 7, 64])(
  'rows that are no UTF-8 are passed over, byte by byte as they stand, in chunks of %i',
  async (size) => {
    const rows = latin1('key,value\r\na,1\r\nb,caf\xe9\xe9\r\n\r\nc,"x\n\xff"\r\nd,4\r\ne,5,6\r\nf,\xc3');
    const found = await all(readCsv(chunksOf(rows, size), {}, (why, text) => [why.message, latin1Of(text)] as const));
    expect(found.map((one) => ('key' in one ? one.key : one))).toEqual([
      'a',
      ['row 2 is no UTF-8: byte 22 is 0xe9 of the file', 'b,caf\xe9\xe9'],
      ['row 3 is no UTF-8: byte 33 is 0xff of the file', 'c,"x\n\xff"'],
      'd',
      [expect.stringContaining('row 5 is no record'), 'e,5,6'],
      ['row 6 is no UTF-8: byte 51 is 0xc3 of the file', 'f,\xc3'],
    ]);
  },
);

test('a row of more broken bytes than can be remembered ends the reading', async () => {
  const chunks = chunksOf(Buffer.alloc(1_100_000, 0xff), 65_536);
  const unread = (why: UsageError) => ({ key: why.message });
  const reading = all(readCsv(chunks, { columns: ['key'] }, unread));
  await expect(reading).rejects.toThrow('more than 1000000 bytes of one row are no UTF-8: byte 1 is 0xff of the file');
});

test('a heading that is no UTF-8 ends the reading, also where rows may be passed over', async () => {
  const reading = all(readCsv(chunksOf(latin1('key,caf\xe9\na,1\n'), 64), {}, (why) => why));
  await expect(reading).rejects.toThrow('the heading is no UTF-8: byte 8 is 0xe9 of the file');
});

test('records before one that is no UTF-8 are read, and none of it', async () => {
  const keys: string[] = [];
  const chunks = chunksOf(latin1('key,value\na,1\nb,2\nc,caf\xe9\nd,4\n'), 64);
  const reading = async () => {
    for await (const { key } of readCsv(chunks, {})) keys.push(key);
  };
  await expect(reading()).rejects.toThrow('row 3 is no UTF-8');
  expect(keys).toEqual(['a', 'b']);
});

test('half of an emoji that JSON escapes is refused', async () => {
  const where = 'is no UTF-8 text: its UTF-16 unit 3 is a lone surrogate';
  await expect(read('ndjson', '{"key":"u:\\ud83d","value":"1"}')).rejects.toThrow(`record 1: "key" ${where}`);
  await expect(read('ndjson', '{"name":"u:\\udc00","value":"1"}')).rejects.toThrow(`record 1: "name" ${where}`);
  await expect(read('ndjson', '{"key":"k","value":"u:\\ud83d"}')).rejects.toThrow(`record 1: "value" ${where}`);
});

test.each([
  ['"key":"k","value":"x","base64":"true"', '"base64" must be true or false; it is "true"'],
  ['"key":"k","value":"x","base64":1', '"base64" must be true or false; it is 1'],
  ['"key":"k","value":"x","base64":{}', '"base64" must be true or false; it is {}'],
  ['"key":"k","value":7,"base64":true', '"value" is said to be base64 and is a number'],
  ['"key":7,"value":"x"', '"key" must be a string, not a number'],
  ['"key":12345678901234567890,"value":"x"', '"key" must be a string, not a number'],
  ['"key":{},"value":"x"', '"key" must be a string, not an object or array'],
  ['"key":"k","value":"x","expiration":"4000000000"', '"expiration" must be whole seconds; it is "4000000000"'],
  ['"key":"k","value":"x","expiration":true', '"expiration" must be whole seconds; it is true'],
  ['"key":"k","value":"x","expiration_ttl":"60"', '"expiration_ttl" must be whole seconds; it is "60"'],
  ['"key":"k","value":"x","expiration_ttl":0', '"expiration_ttl" must be whole seconds; it is 0'],
  ['"key":"k","value":"x","expiration_ttl":[60]', '"expiration_ttl" must be whole seconds; it is [60]'],
])('a record with a field of another type is refused: {%s}', async (fields, words) => {
  await expect(read('ndjson', `{"key":"a","value":""}\n{${fields}}`)).rejects.toThrow(`record 2: ${words}`);
  await expect(read('workers-kv', `[{${fields}}]`)).rejects.toThrow(`record 1: ${words}`);
});

test.each([
  ['base64', 'yes', '"base64" must be true or false; it is "yes"'],
  ['base64', 'TRUE', '"base64" must be true or false; it is "TRUE"'],
  ['expiration', '0x10', '"expiration" must be whole seconds; it is "0x10"'],
  ['expiration_ttl', '1.5', '"expiration_ttl" must be whole seconds; it is "1.5"'],
  ['metadata', '{', '"metadata" is no JSON'],
])('a cell %s that is %s is refused', async (column, cell, words) => {
  await expect(read('csv', `key,value,${column}\na,b,${cell}\n`)).rejects.toThrow(`row 1: ${words}`);
});

test('fields that are null, and cells that are empty, are left out', async () => {
  const nulls = '{"key":"a","value":"1","base64":null,"expiration":null,"expiration_ttl":null,"metadata":null}';
  const expected = [{ key: 'a', value: Buffer.from('1') }];
  expect(await read('ndjson', '{"key":null,"name":"a","value":"1"}')).toEqual(expected);
  expect(await read('ndjson', nulls)).toEqual(expected);
  expect(await read('csv', 'key,value,base64,expiration,expiration_ttl,metadata\na,1,,,,\n')).toEqual(expected);
});

test('numbers keep their digits in values and metadata', async () => {
  const long = '12345678901234567890';
  const [first] = await read('ndjson', `{"key":"a","value":${long},"metadata":{"id": ${long}}}`);
  expect([Buffer.from(first?.value ?? []).toString(), first?.metadataText]).toEqual([long, `{"id":${long}}`]);
  const [second] = await read('ndjson', `{"key":"a","value":{ "id":${long}, "x":"é\\u00e9" }}`);
  expect(Buffer.from(second?.value ?? []).toString()).toBe(`{"id":${long},"x":"éé"}`);
  const [third] = await read('csv', `key,value,metadata\na,${long},${long}\n`);
  expect([Buffer.from(third?.value ?? []).toString(), third?.metadataText]).toEqual([long, long]);
  const metadataText = `{"id":${long}}`;
  for (const format of ['ndjson', 'csv', 'workers-kv'] as const) {
    const text = textOf(format, [{ name: 'a', value: Buffer.from('v'), metadataText, expiration: null }]);
    expect((await read(format, text))[0]?.metadataText).toBe(metadataText);
  }
});
