import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { instead } from '../http/workers/served-origin.ts';
import { aCall, openOrigin } from '../rpc/loopback.ts';
import { encodeCommand, type RespClient, type ServedResp, serveResp } from './served.ts';

let origin: Origin;
let served: ServedResp;
let client: RespClient;
const closing: Array<() => Promise<unknown>> = [];

beforeAll(async () => {
  const opened = await openOrigin();
  origin = opened.origin;
  await origin.create('config', aCall());
  await origin.create('other', aCall());
  served = await serveResp(origin, {
    databases: new Map([
      [0, 'config'],
      [3, 'other'],
    ]),
  });
  client = await served.connect();
  closing.push(
    () => served.close(),
    () => opened.close(),
  );
});

afterAll(async () => {
  for (const close of closing) await close();
});

const ask = (...args: ReadonlyArray<string | Uint8Array | number>) => client.ask(...args);

describe('reads and writes', () => {
  it('sets, gets and deletes bytes of any kind', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    expect(await ask('SET', 'bytes', bytes)).toBe('+OK');
    expect(await ask('GET', 'bytes')).toBe(bytes.toString('latin1'));
    expect(await ask('STRLEN', 'bytes')).toBe(5);
    expect(await ask('TYPE', 'bytes')).toBe('+string');
    expect(await ask('EXISTS', 'bytes', 'bytes', 'none')).toBe(2);
    expect(await ask('DEL', 'bytes', 'bytes', 'none')).toBe(1);
    expect(await ask('GET', 'bytes')).toBeNull();
    expect(await ask('TYPE', 'bytes')).toBe('+none');
    expect(await ask('SET', 'empty', '')).toBe('+OK');
    expect(await ask('GET', 'empty')).toBe('');
    expect(await ask('UNLINK', 'empty')).toBe(1);
  });

  it('answers several keys in their order', async () => {
    expect(await ask('MSET', 'm1', 'a', 'm2', 'b', 'm1', 'c')).toBe('+OK');
    expect(await ask('MGET', 'm2', 'none', 'm1')).toEqual(['b', null, 'c']);
    expect(await ask('MSET', 'm1', 'a', 'm2')).toBe("Error: ERR wrong number of arguments for 'mset' command");
  });

  it('takes the conditions of SET', async () => {
    expect(await ask('SET', 'cond', '1', 'XX')).toBeNull();
    expect(await ask('SET', 'cond', '1', 'NX')).toBe('+OK');
    expect(await ask('SET', 'cond', '2', 'NX')).toBeNull();
    expect(await ask('SET', 'cond', '2', 'XX')).toBe('+OK');
    expect(await ask('SET', 'cond', '3', 'GET')).toBe('2');
    expect(await ask('SET', 'cond', '4', 'NX', 'GET')).toBe('3');
    expect(await ask('SET', 'cond-new', '1', 'NX', 'GET')).toBeNull();
    expect(await ask('GET', 'cond-new')).toBe('1');
    expect(await ask('SETNX', 'cond', '5')).toBe(0);
    expect(await ask('SETNX', 'cond-other', '5')).toBe(1);
    expect(await ask('SET', 'cond', '1', 'NX', 'XX')).toBe('Error: ERR syntax error');
    expect(await ask('SET', 'cond', '1', 'EX')).toBe('Error: ERR syntax error');
    expect(await ask('SET', 'cond', '1', 'EX', '1', 'KEEPTTL')).toBe('Error: ERR syntax error');
  });

  it('keeps, changes and takes off expiries, and what else the record has', async () => {
    const put = { kind: 'put', key: 'meta', value: Buffer.from('v'), metadata: '{"by":"ops"}' } as const;
    await origin.write({ namespace: 'config', session: emptySession, mutations: [put] }, aCall());
    const metadata = async () => {
      const { record } = await origin.get({ namespace: 'config', key: 'meta', session: emptySession }, aCall());
      return record?.kind === 'live' ? record.metadata : undefined;
    };
    expect(await ask('TTL', 'meta')).toBe(-1);
    expect(await ask('EXPIREAT', 'meta', 4_000_000_000)).toBe(1);
    expect(await ask('EXPIRETIME', 'meta')).toBe(4_000_000_000);
    expect(await ask('PEXPIRETIME', 'meta')).toBe(4_000_000_000_000);
    expect(await ask('EXPIREAT', 'meta', 4_000_000_001, 'LT')).toBe(0);
    expect(await ask('PEXPIREAT', 'meta', 4_000_000_000_001, 'GT')).toBe(1);
    expect(await ask('EXPIRETIME', 'meta')).toBe(4_000_000_001);
    expect(await ask('EXPIRE', 'meta', 100, 'NX')).toBe(0);
    expect(await metadata()).toBe('{"by":"ops"}');
    expect(await ask('PERSIST', 'meta')).toBe(1);
    expect(await ask('PERSIST', 'meta')).toBe(0);
    expect(await ask('EXPIRETIME', 'meta')).toBe(-1);
    expect(await ask('GETEX', 'meta', 'EXAT', 4_000_000_000)).toBe('v');
    expect(await ask('EXPIRETIME', 'meta')).toBe(4_000_000_000);
    expect(await ask('GETEX', 'meta', 'PERSIST')).toBe('v');
    expect(await ask('GETEX', 'meta')).toBe('v');
    expect(String(await ask('GETEX', 'meta', 'EX', '0'))).toContain("ERR invalid expire time in 'getex' command");
    // Of a key that is not there Redis complains of nothing but the syntax.
    expect(await ask('GETEX', 'absent', 'EX', '0')).toBe(null);
    expect(await ask('GETEX', 'absent', 'PX', 'x')).toBe(null);
    expect(String(await ask('GETEX', 'absent', 'NONSENSE'))).toContain('ERR syntax error');
    expect(await metadata()).toBe('{"by":"ops"}');
    expect(await ask('SET', 'meta', 'w', 'EXAT', 4_000_000_000)).toBe('+OK');
    expect(await ask('SET', 'meta', 'x', 'KEEPTTL')).toBe('+OK');
    expect(await ask('EXPIRETIME', 'meta')).toBe(4_000_000_000);
    expect(await ask('SET', 'meta', 'y')).toBe('+OK');
    expect(await ask('EXPIRETIME', 'meta')).toBe(-1);
    expect(await ask('EXPIRE', 'meta', -1)).toBe(1);
    expect(await ask('GET', 'meta')).toBeNull();
    expect(await ask('EXPIRE', 'meta', 100)).toBe(0);
    expect(await ask('TTL', 'meta')).toBe(-2);
  });

  it('rounds milliseconds up to whole seconds, and ends what is past', async () => {
    expect(await ask('SET', 'ms', '1', 'PXAT', 4_000_000_000_001)).toBe('+OK');
    expect(await ask('EXPIRETIME', 'ms')).toBe(4_000_000_001);
    expect(await ask('PSETEX', 'ms', 1, 'v')).toBe('+OK');
    expect(await ask('GET', 'ms')).toBe('v');
    expect(await ask('SET', 'ms', '1', 'EXAT', 1)).toBe('+OK');
    expect(await ask('GET', 'ms')).toBeNull();
    expect(await ask('SET', 'ms', '1', 'EX', 0)).toBe("Error: ERR invalid expire time in 'set' command");
    expect(await ask('SETEX', 'ms', 0, '1')).toBe("Error: ERR invalid expire time in 'setex' command");
    expect(await ask('SET', 'ms', '1', 'EX', '1.5')).toBe('Error: ERR value is not an integer or out of range');
    expect(await ask('SET', 'ms', '1', 'EX', '999999999999')).toBe("Error: ERR invalid expire time in 'set' command");
  });

  it('refuses keys that are none, and says why', async () => {
    expect(await ask('GET', Buffer.from([0x61, 0xff]))).toBe('Error: ERR a key is no UTF-8: byte 2 is 0xff');
    expect(await ask('SET', '', 'v')).toBe('Error: ERR a key must not be empty');
    expect(await ask('SET', 'k'.repeat(513), 'v')).toMatch(/at most 512 bytes of UTF-8; this one has 513/);
  });

  it('carries out a pipeline in its order, the refused among them', async () => {
    const replies = await client.pipeline(
      ['SET', 'p', '1'],
      ['SET', '', 'x'],
      ['GET', 'p'],
      ['SET', 'p', '2'],
      ['SETEX', 'p2', 100, 'b'],
      ['GET', 'p'],
      ['NONSENSE', 'a'],
      ['MGET', 'p', 'p2'],
      ['DEL', 'p'],
      ['GET', 'p'],
      ['PING'],
    );
    expect(replies).toEqual([
      '+OK',
      'Error: ERR a key must not be empty',
      '1',
      '+OK',
      '+OK',
      '2',
      "Error: ERR unknown command 'NONSENSE', with args beginning with: 'a' ",
      ['2', 'b'],
      1,
      null,
      '+PONG',
    ]);
  });

  it('moves large values both ways, several at once', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, 'abc');
    const sets = [0, 1, 2].map((n) => ['SET', `large${n}`, large]);
    expect(await client.pipeline(...sets)).toEqual(['+OK', '+OK', '+OK']);
    const gets = [0, 1, 2].map((n) => ['GET', `large${n}`]);
    const text = large.toString('latin1');
    expect((await client.pipeline(...gets)).every((reply) => reply === text)).toBe(true);
    expect(await ask('STRLEN', 'large0')).toBe(large.length);
    const several = await ask('MGET', 'large0', 'large1', 'none');
    expect(Array.isArray(several) && several[0] === text && several[2] === null).toBe(true);
    expect(await ask('EXISTS', 'large0', 'large1')).toBe(2);
    expect(await ask('DEL', 'large0', 'large1', 'large2')).toBe(3);
  });

  it('refuses a value that is too large, and goes on', async () => {
    const [refused, pong] = await client.pipeline(['SET', 'huge', Buffer.alloc(26_214_401)], ['PING']);
    expect(refused).toBe('Error: ERR an argument has at most 26214400 bytes; this one has 26214401');
    expect(pong).toBe('+PONG');
  });
});

describe('keys', () => {
  it('are scanned page by page, on any connection, by prefix and by pattern', async () => {
    const names = Array.from({ length: 25 }, (_, n) => `scan/${String(n).padStart(2, '0')}`);
    await ask('MSET', ...names.flatMap((name) => [name, 'v']));
    const found: string[] = [];
    let cursor = '0';
    do {
      const other = await served.connect();
      const [next, keys] = (await other.ask('SCAN', cursor, 'MATCH', 'scan/*', 'COUNT', 10)) as [string, string[]];
      expect(keys.length).toBeLessThanOrEqual(10);
      found.push(...keys);
      cursor = next;
    } while (cursor !== '0');
    expect(found).toEqual(names);
    expect(await ask('KEYS', 'scan/?[3-4]')).toEqual([
      'scan/03',
      'scan/04',
      'scan/13',
      'scan/14',
      'scan/23',
      'scan/24',
    ]);
    expect(await ask('KEYS', 'scan/\\*')).toEqual([]);
    expect(await ask('SCAN', '0', 'TYPE', 'hash')).toEqual(['0', []]);
    expect(await ask('SCAN', '12345')).toMatch(/^Error: ERR invalid cursor/);
    expect(await ask('SCAN', 'x')).toBe('Error: ERR invalid cursor');
    expect(await ask('SCAN', '0', 'COUNT', 0)).toBe('Error: ERR syntax error');
  });

  it('are counted', async () => {
    const other = await served.connect();
    await other.ask('SELECT', 3);
    expect(await other.ask('DBSIZE')).toBe(0);
    await other.ask('SET', 'one', '1');
    expect(await other.ask('DBSIZE')).toBe(1);
  });
});

describe('what is sent as a transaction', () => {
  it('is not carried out, and the connection goes on behind it', async () => {
    const client = await served.connect();
    await client.ask('SET', 'kept', 'before');
    const sent = ['MULTI', 'SET kept after', 'DEL kept', 'FROB', 'EXEC', 'GET kept', 'EXEC'].map((line) =>
      line.split(' '),
    );
    const [multi, ...replies] = await client.pipeline(...sent);
    expect(multi).toMatch(/^Error: ERR unknown command 'MULTI'/);
    const refused = expect.stringMatching(/^Error: ERR not carried out/);
    expect(replies).toEqual([
      ...[refused, refused, refused, expect.stringMatching(/^Error: EXECABORT /)],
      ...['before', expect.stringMatching(/^Error: ERR unknown command 'EXEC'/)],
    ]);
    for (const end of ['DISCARD', 'RESET']) {
      await client.ask('MULTI');
      await client.ask(end);
      expect(await client.ask('PING'), end).toBe('+PONG');
    }
  });
});

describe('a connection', () => {
  it('chooses its namespace by AUTH, HELLO or SELECT, and is told where it has none', async () => {
    const bare = await serveResp(origin, { databases: new Map() });
    closing.unshift(() => bare.close());
    const other = await bare.connect();
    expect(await other.ask('GET', 'a')).toMatch(/^Error: NOAUTH no namespace is chosen/);
    expect(await other.ask('SET', 'a', 'b')).toMatch(/^Error: NOAUTH/);
    expect(await other.ask('AUTH', 'nobody', 'x')).toMatch(/^Error: WRONGPASS .*"nobody"/);
    expect(await other.ask('AUTH', '0'.repeat(32), 'x')).toMatch(/^Error: WRONGPASS .*registry/);
    expect(await other.ask('AUTH', 'secret')).toBe('+OK');
    expect(await other.ask('GET', 'a')).toMatch(/^Error: NOAUTH/);
    expect(await other.ask('SELECT', 0)).toMatch(/^Error: ERR DB index is out of range/);
    expect(await other.ask('AUTH', 'other', 'x')).toBe('+OK');
    expect(await other.ask('SELECT', 0)).toBe('+OK');
    expect(await other.ask('SET', 'where', 'other')).toBe('+OK');
    const { id } = await origin.find('other', aCall());
    const third = await bare.connect();
    expect(await third.ask('HELLO', 3, 'AUTH', id, 'x', 'SETNAME', 'me')).toHaveProperty('map');
    expect(await third.ask('GET', 'where')).toBe('other');
    expect(await third.ask('GET', 'none')).toBeNull();
    expect(await third.ask('CLIENT', 'GETNAME')).toBe('me');
    expect(await third.ask('RESET')).toBe('+RESET');
    expect(await third.ask('GET', 'where')).toMatch(/^Error: NOAUTH/);
    const mapped = await served.connect();
    expect(await mapped.ask('GET', 'where')).toBeNull();
    expect(await mapped.ask('SELECT', 3)).toBe('+OK');
    expect(await mapped.ask('GET', 'where')).toBe('other');
    expect(await mapped.ask('SELECT', 4)).toMatch(/^Error: ERR DB index is out of range/);
  });

  it('comes back to the namespace that AUTH named by SELECT 0, and to none where it named none', async () => {
    const bare = await serveResp(origin, { databases: new Map([[1, 'config']]) });
    closing.unshift(() => bare.close());
    const client = await bare.connect();
    await client.ask('AUTH', 'other', 'x');
    await client.ask('SET', 'back', 'other');
    expect(await client.ask('SELECT', 1)).toBe('+OK');
    expect(await client.ask('GET', 'back')).toBeNull();
    expect(await client.ask('SELECT', 0)).toBe('+OK');
    expect(await client.ask('GET', 'back')).toBe('other');
    const nobody = await bare.connect();
    expect(await nobody.ask('SELECT', 1)).toBe('+OK');
    expect(await nobody.ask('SELECT', 0)).toMatch(/^Error: ERR DB index is out of range/);
  });

  it('keeps no name that is longer than a title', async () => {
    const isDown = Promise.reject(new MeridianError('UNAVAILABLE', 'nobody is there', { reason: 'unavailable' }));
    isDown.catch(() => {});
    const alone = await serveResp(instead(origin, 'find', () => isDown));
    closing.unshift(() => alone.close());
    const client = await alone.connect();
    expect(await client.ask('AUTH', 'a'.repeat(513), 'x')).toMatch(/^Error: WRONGPASS .*at most 512 bytes/);
    expect(await client.ask('AUTH', 'a'.repeat(512), 'x')).toBe('+OK');
  });

  it('answers what clients ask when they connect', async () => {
    expect(await ask('HELLO', 4)).toBe('Error: NOPROTO unsupported protocol version');
    expect(await ask('HELLO', 'x')).toBe('Error: ERR Protocol version is not an integer or out of range');
    expect(await ask('HELLO')).toEqual(expect.arrayContaining(['server', 'meridian', 'proto', 2]));
    expect(await ask('CLIENT', 'SETNAME', 'a b')).toMatch(/^Error: ERR Client names/);
    expect(await ask('CLIENT', 'SETINFO', 'LIB-NAME', 'mine')).toBe('+OK');
    expect(await ask('CLIENT', 'ID')).toEqual(expect.any(Number));
    expect(await ask('CLIENT', 'KILL')).toBe("Error: ERR unknown subcommand 'KILL'. Try CLIENT HELP.");
    expect(await ask('CLIENT', 'SETNAME')).toBe("Error: ERR wrong number of arguments for 'client|setname' command");
    expect(await ask('COMMAND', 'COUNT')).toEqual(expect.any(Number));
    const [details] = (await ask('COMMAND', 'INFO', 'get')) as [unknown[]];
    expect(details).toEqual(['get', 2, ['+readonly', '+fast'], 1, 1, 1, [], [], [], []]);
    expect(await ask('COMMAND', 'INFO', 'flushall')).toEqual([null]);
    expect(await ask('COMMAND', 'DOCS', 'get')).toEqual(['get', expect.arrayContaining(['summary'])]);
    expect(await ask('INFO', 'server')).toMatch(/^# Server\r\nredis_version:\d/);
    expect(await ask('ECHO', 'x')).toBe('x');
    expect(await ask('PING', 'x')).toBe('x');
    expect(await ask('FLUSHALL')).toBe("Error: ERR unknown command 'FLUSHALL', with args beginning with: ");
    expect(await ask('GET')).toBe("Error: ERR wrong number of arguments for 'get' command");
  });

  it('ends after QUIT, and after what is no RESP', async () => {
    const quitting = await served.connect();
    expect(await quitting.pipeline(['SET', 'q', '1'], ['QUIT'])).toEqual(['+OK', '+OK']);
    await quitting.closed();
    const broken = await served.connect();
    broken.socket.write('PING\r\n*1\r\n:3\r\nPING\r\n');
    expect(await broken.reply()).toBe('+PONG');
    expect(await broken.reply()).toBe("Error: ERR Protocol error: expected '$', got ':'");
    await broken.closed();
    expect(served.rejected).toContain('protocol-error');
  });

  it.each([
    ['POST / HTTP/1.1', 'Host: 127.0.0.1:6379'],
    ['PUT /x HTTP/1.1', 'Host: 127.0.0.1:6379'],
    ['DEL /x HTTP/1.1', 'Host: 127.0.0.1:6379'],
    ['PUT /x NONSENSE', 'Accept: *', 'host: 127.0.0.1:6379'],
  ])('ends at what a browser sends, and carries nothing out that a site wrote into it: %s', async (...head) => {
    await ask('MSET', '/x', 'there', 'csrf', 'before');
    const browser = await served.connect();
    browser.socket.write(`${head.join('\r\n')}\r\nContent-Length: 20\r\n\r\nSET csrf after\r\nPING\r\n`);
    let last: unknown;
    await expect(
      (async () => {
        for (;;) last = await browser.reply();
      })(),
    ).rejects.toThrow('the connection is closed');
    expect(last).toBe('Error: ERR Protocol error: this port speaks no HTTP');
    expect(await ask('MGET', '/x', 'csrf')).toEqual(['there', 'before']);
    expect(await ask('SET', 'csrf', 'HTTP/1.1')).toBe('+OK'); // Not inline: no browser writes that.
  });

  it('may send anything: it is answered or ended, and others go on', async () => {
    const names = [
      'GET',
      'SET',
      'HELLO',
      'CLIENT',
      'COMMAND',
      'SCAN',
      'EXPIRE',
      'GETEX',
      'MERIDIAN.GET',
      'SELECT',
      'INFO',
    ];
    const words = ['3', '0', 'AUTH', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'MATCH', '[', 'COUNT', 'EX', 'k', 'DOCS'];
    const argument = fc.oneof(
      fc.constantFrom(...words).map((word) => Buffer.from(word)),
      fc.uint8Array({ maxLength: 30 }),
    );
    const command = fc.tuple(fc.constantFrom(...names), fc.array(argument, { maxLength: 5 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { maxLength: 10 }),
        fc.uint8Array({ maxLength: 40 }),
        async (commands, rest) => {
          const wild = await served.connect();
          const bytes = commands.map(([name, args]) => encodeCommand([name, ...args]));
          wild.socket.end(Buffer.concat([...bytes, rest]));
          await wild.closed();
          expect(await ask('PING')).toBe('+PONG');
        },
      ),
      { numRuns: 60 },
    );
    expect(served.rejected).not.toContain('internal');
  });

  it('is answered all that it sent before it closed its side', async () => {
    const piped = await served.connect();
    piped.socket.end('SET piped 1\r\nGET piped\r\nPING\r\n');
    expect([await piped.reply(), await piped.reply(), await piped.reply()]).toEqual(['+OK', '1', '+PONG']);
    await piped.closed();
  });
});

describe('conditional changes', () => {
  it('end a key at once whose time is over by the clock of the origin, and not yet by that of the node', async () => {
    const behind = { ...systemClock, wallMs: () => systemClock.wallMs() - 5000 };
    const late = await serveResp(origin, { clock: behind });
    closing.unshift(() => late.close());
    const client = await late.connect();
    const at = Math.floor(systemClock.wallMs() / 1000) - 2;
    const ended = async (...words: Array<string | number>) => {
      await client.ask('SET', 'ends', 'before');
      const reply = await client.ask(...words);
      return [reply, await client.ask('GET', 'ends')];
    };
    expect(await ended('SET', 'ends', 'v', 'EXAT', at)).toEqual(['+OK', null]);
    expect(await ended('SET', 'ends', 'v', 'XX', 'EXAT', at)).toEqual(['+OK', null]);
    expect(await ended('SET', 'ends', 'v', 'GET', 'PXAT', at * 1000)).toEqual(['before', null]);
    expect(await ended('EXPIREAT', 'ends', at)).toEqual([1, null]);
    expect(await ended('GETEX', 'ends', 'EXAT', at)).toEqual(['before', null]);
    expect(await ended('SET', 'ends', 'v', 'NX', 'EXAT', at)).toEqual([null, 'before']);
    expect(await client.ask('SET', 'is-none', 'v', 'NX', 'EXAT', at)).toBe('+OK');
    expect(await client.ask('GET', 'is-none')).toBeNull();
  });

  it('look again where another was quicker, and give up in the end', async () => {
    let times = 0;
    const raced = await serveResp(
      instead(
        instead(origin, 'peek', () => undefined),
        'get',
        async (request, call) => {
          const answer = await origin.get(request, call);
          if (times-- > 0) {
            const put = { kind: 'put', key: 'raced', value: Buffer.from(`${times}`) } as const;
            await origin.write({ namespace: 'config', session: emptySession, mutations: [put] }, aCall());
          }
          return answer;
        },
      ),
    );
    closing.unshift(() => raced.close());
    const other = await raced.connect();
    await ask('SET', 'raced', 'v');
    times = 2;
    expect(await other.ask('EXPIREAT', 'raced', 4_000_000_000)).toBe(1);
    expect(await ask('GET', 'raced')).toBe('0');
    expect(await ask('EXPIRETIME', 'raced')).toBe(4_000_000_000);
    times = 1000;
    expect(await other.ask('EXPIRE', 'raced', 100)).toMatch(/^Error: TRYAGAIN/);
    times = 0;
  });
});
