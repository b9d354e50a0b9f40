import { describe, expect, test } from 'vitest';
import { variableOf } from '../../src/config/option.ts';
import { options, optionsOf } from '../../src/config/options.ts';
import { resolveConfig, type Sources } from '../../src/config/resolve.ts';

const nothing: Sources = { flags: {}, env: {}, file: {} };
const edge = (sources: Partial<Sources>) =>
  resolveConfig('edge', { ...nothing, ...sources, flags: { upstream: ['o:7100'], ...sources.flags } });

describe('precedence', () => {
  test('a flag wins over a variable, a variable over the file, the file over the default', () => {
    const file = { 'max-staleness': '3s' };
    const env = { MERIDIAN_MAX_STALENESS: '2s' };
    const flags = { 'max-staleness': '1s' };
    expect(edge({ flags, env, file }).maxStalenessMs).toBe(1000);
    expect(edge({ env, file }).maxStalenessMs).toBe(2000);
    expect(edge({ file }).maxStalenessMs).toBe(3000);
    expect(edge({}).maxStalenessMs).toBe(60_000);
  });

  test('every option of every target is read from each of the three sources', () => {
    for (const target of ['origin', 'edge', 'client'] as const) {
      for (const [field, option] of optionsOf(target)) {
        if (option.kind === 'string' || option.kind === 'path') continue;
        const bads = { range: 'title/without-a-star', pattern: 'a*star*within' } as const;
        const bad = bads[String(option.kind) as keyof typeof bads] ?? 'never a value';
        const base = target === 'edge' && option.flag !== 'upstream' ? { upstream: ['o:1'] } : {};
        const read = (sources: Partial<Sources>) => () =>
          resolveConfig(target, { ...nothing, flags: base, ...sources });
        expect(read({ flags: { ...base, [option.flag]: bad } }), field).toThrow(`--${option.flag} must be`);
        expect(read({ env: { [variableOf(option)]: bad } }), field).toThrow(`${variableOf(option)} must be`);
        expect(read({ file: { [option.flag]: bad } }), field).toThrow(`"${option.flag}" in the file must be`);
      }
    }
  });

  test('of a token and its file the one from the nearer source counts; both from one are left to be refused', () => {
    const both = (sources: Partial<Sources>) => {
      const { token, tokenFile } = resolveConfig('client', { ...nothing, ...sources });
      return { token, tokenFile };
    };
    const [file, text] = [{ 'token-file': 'f' }, { MERIDIAN_TOKEN: 't' }];
    expect(both({ flags: file, env: text })).toEqual({ token: undefined, tokenFile: 'f' });
    expect(both({ flags: { token: 'u' }, env: { MERIDIAN_TOKEN_FILE: 'f' } })).toEqual({
      token: 'u',
      tokenFile: undefined,
    });
    expect(both({ env: text, file })).toEqual({ token: 't', tokenFile: undefined });
    expect(both({ flags: { ...file, token: 'u' } })).toEqual({ token: 'u', tokenFile: 'f' });
  });

  test('an empty variable counts as unset', () => {
    expect(edge({ env: { MERIDIAN_REGION: '' } }).region).toBe('local');
  });
});

describe('values', () => {
  test('the defaults are those of the table, by role', () => {
    expect(resolveConfig('origin', nothing)).toMatchObject({
      listen: { host: '127.0.0.1', port: 7100 },
      http: { host: '127.0.0.1', port: 8100 },
      durability: 'local',
      tombstoneRetentionMs: 86_400_000,
      ringBytes: 64 * 1024 * 1024,
      peers: [],
      location: undefined,
      insecure: false,
    });
    expect(edge({})).toMatchObject({
      listen: { host: '127.0.0.1', port: 7200 },
      http: { host: '127.0.0.1', port: 8200 },
      replicate: [],
      maxStalenessMs: 60_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 86_400_000,
      cacheMemoryBytes: 256 * 1024 * 1024,
      cacheDiskBytes: 4 * 1024 ** 3,
      feedValues: { kind: 'inline', bytesMax: 1024 },
    });
  });

  test('a list keeps its order in each source', () => {
    const expected = [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ];
    expect(edge({ flags: { upstream: ['a:1', '[::1]:2'] } }).upstreams).toEqual(expected);
    const bare = (sources: Partial<Sources>) => resolveConfig('edge', { ...nothing, ...sources }).upstreams;
    expect(bare({ env: { MERIDIAN_UPSTREAM: 'a:1, [::1]:2' } })).toEqual(expected);
    expect(bare({ file: { upstream: ['a:1', '[::1]:2'] } })).toEqual(expected);
    expect(bare({ file: { upstream: 'a:1' } })).toEqual(expected.slice(0, 1));
  });

  test('what is replicated is a title, a title with a prefix, or everything', () => {
    expect(edge({ flags: { replicate: ['config', 'flags/beta/*', 'all/*', '*'] } }).replicate).toEqual([
      { title: 'config', prefix: '' },
      { title: 'flags', prefix: 'beta/' },
      { title: 'all', prefix: '' },
      { title: '*', prefix: '' },
    ]);
    expect(() => edge({ flags: { replicate: ['flags/beta'] } })).toThrow('--replicate must be');
  });

  test('a YAML file may hold numbers and booleans as such', () => {
    expect(edge({ file: { 'loads-max': 7, insecure: true, 'cache-memory': 1000 } })).toMatchObject({
      loadsMax: 7,
      insecure: true,
      cacheMemoryBytes: 1000,
    });
  });
});

test('a client takes from the file of a node what is its own', () => {
  const file = { name: 'iad', listen: '127.0.0.1:7100', endpoint: 'a:1' };
  expect(resolveConfig('client', { ...nothing, file }).endpoints).toEqual([{ host: 'a', port: 1 }]);
  expect(() => resolveConfig('client', { ...nothing, file: { nam: 'iad' } })).toThrow('"nam"');
  expect(() => resolveConfig('origin', { ...nothing, file })).toThrow('"endpoint"');
});

describe('mistakes', () => {
  test.each(['0', '1ms', '1h'])('a probe interval of %s is refused: it floods, or proves nothing', (text) => {
    expect(() => edge({ flags: { 'probe-interval': text } })).toThrow('from 10 to 60000 ms');
  });

  test('a deadline of 0 is refused where it is given, not at each call', () => {
    expect(() => edge({ flags: { 'request-timeout': '0' } })).toThrow('--request-timeout must be');
    expect(() => resolveConfig('client', { ...nothing, env: { MERIDIAN_TIMEOUT: '0s' } })).toThrow('MERIDIAN_TIMEOUT');
  });

  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return '(no error)';
  };

  test('a bad value is one line that names option, expectation and value', () => {
    expect(message(() => edge({ flags: { 'max-staleness': '60' } }))).toBe(
      '--max-staleness must be a duration with its unit, such as 250ms, 60s, 15m or 24h; it is "60"',
    );
    expect(message(() => edge({ env: { MERIDIAN_LOADS_MAX: '0' } }))).toBe(
      'MERIDIAN_LOADS_MAX must be a whole number from 1 to 100000; it is "0"',
    );
  });

  test('an edge without upstream is told so', () => {
    expect(message(() => resolveConfig('edge', nothing))).toMatch(/^--upstream is missing: /);
    expect(message(() => resolveConfig('edge', { ...nothing, file: { upstream: [] } }))).toMatch(/at least one value/);
  });

  test('a key of the file that is no option of the target is refused', () => {
    expect(message(() => edge({ file: { ring: 1 } }))).toContain('"ring", which is no option of edge');
    expect(message(() => edge({ file: { durability: 'all' } }))).toContain('no option of edge');
  });

  test('an option for one value refuses two', () => {
    expect(message(() => edge({ flags: { name: ['a', 'b'] } }))).toBe('--name may be given only once');
  });
});

test('no two options share a flag, and every field has a help that ends as a sentence', () => {
  const flags = Object.values(options).map(({ flag }) => flag);
  expect(new Set(flags).size).toBe(flags.length);
  for (const { flag, help } of Object.values(options)) expect(help, flag).toMatch(/[.]$/);
});
