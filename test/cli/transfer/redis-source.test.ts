import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseReply, type RedisReply } from '../../../src/cli/transfer/redis-reply.ts';
import { readRedis } from '../../../src/cli/transfer/redis-source.ts';
import type { UsageError } from '../../../src/cli/usage-error.ts';
import { limits } from '../../../src/model/limits.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface FakeKey {
  readonly value: string;
  readonly type?: string;
  /** Where it is another one than the value's. */
  readonly bytes?: number;
  readonly ttlMs?: number;
}

/** A Redis that shows one key a page, and tells of each command, which may change what it holds. */
async function fakeRedis(keys: Map<string, FakeKey>, told: (command: string, key: string) => void) {
  const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
  const answer = (command: string, key: string): string => {
    const held = keys.get(key);
    const isString = (held?.type ?? 'string') === 'string';
    switch (command) {
      case 'SCAN': {
        const at = Number(key);
        const names = [...keys.keys()];
        return `*2\r\n${bulk(at + 1 < names.length ? String(at + 1) : '0')}*1\r\n${bulk(names[at] ?? '')}`;
      }
      case 'TYPE':
        return `+${held === undefined ? 'none' : (held.type ?? 'string')}\r\n`;
      case 'PTTL':
        return `:${held === undefined ? -2 : (held.ttlMs ?? -1)}\r\n`;
      case 'STRLEN':
        return isString ? `:${held?.bytes ?? held?.value.length ?? 0}\r\n` : '-WRONGTYPE of another kind\r\n';
      default:
        if (held === undefined) return '$-1\r\n';
        return isString ? bulk(held.value) : '-WRONGTYPE of another kind\r\n';
    }
  };
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (let parsed = parseReply(received, 0); parsed !== undefined; parsed = parseReply(received, 0)) {
        received = received.subarray(parsed.end);
        const [command = '', key = ''] = (parsed.reply as RedisReply[]).map(String);
        const text = answer(command, key);
        told(command, key);
        socket.write(text);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `redis://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function read(keys: Map<string, FakeKey>, told: (command: string, key: string) => void = () => {}, pauseMs = 0) {
  const records: unknown[] = [];
  let passedBy = 0;
  const reading = readRedis({
    url: await fakeRedis(keys, told),
    clock: systemClock,
    signal: new AbortController().signal,
    silenceMsMax: 500,
    unread: (unread: UsageError, text: Uint8Array) => ({ unread, text }),
    passedBy: (count) => {
      passedBy += count;
    },
  });
  for await (const record of reading) {
    if ('unread' in record) records.push(record.unread.message);
    else records.push([record.key, record.value.toString(), record.expiration !== undefined]);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return { records, passedBy };
}

describe('a Redis that is written while it is read', () => {
  it('never gives a value with the expiry of another one', async () => {
    const keys = new Map<string, FakeKey>([['k', { value: 'for ever' }]]);
    let asked = 0;
    const { records } = await read(keys, (command) => {
      if (command === 'PTTL' && ++asked === 1) keys.set('k', { value: 'for a minute', ttlMs: 60_000 });
    });
    expect(records).toEqual([['k', 'for a minute', true]]);
  });

  it('passes by what holds another type by now, and leaves out what went away', async () => {
    const keys = new Map<string, FakeKey>([
      ['list', { value: 'x' }],
      ['gone', { value: 'x' }],
      ['k', { value: 'v' }],
    ]);
    const { records, passedBy } = await read(keys, (command, key) => {
      if (command === 'STRLEN' && key === 'list') keys.set(key, { value: '', type: 'list' });
      if (command === 'PTTL' && key === 'gone') keys.set(key, { value: '', ttlMs: -2 });
    });
    expect([records, passedBy]).toEqual([[['k', 'v', false]], 1]);
  });

  it('is given up where a key has another expiry each time', async () => {
    const keys = new Map<string, FakeKey>([['k', { value: 'v', ttlMs: 60_000 }]]);
    let ttlMs = 60_000;
    const changing = read(keys, (command, key) => {
      ttlMs += 1000;
      if (command === 'PTTL') keys.set(key, { value: 'v', ttlMs });
    });
    await expect(changing).rejects.toThrow('the key "k" of Redis was given another expiry each of 5 times');
  });
});

it('waits for as long as its reader does between two pages', async () => {
  const keys = new Map<string, FakeKey>([
    ['a', { value: '1' }],
    ['b', { value: '2' }],
  ]);
  expect((await read(keys, () => {}, 1200)).records).toHaveLength(2);
});

it('does not fetch a value that is too large, and names its key', async () => {
  const keys = new Map<string, FakeKey>([
    ['large', { value: '', bytes: limits.valueBytesMax + 1 }],
    ['k', { value: 'v' }],
  ]);
  const asked: string[] = [];
  const { records } = await read(keys, (command, key) => asked.push(`${command} ${key}`));
  const why = 'the value of "large" has 26214401 bytes; at most 26214400 are taken';
  expect(records).toEqual([why, ['k', 'v', false]]);
  expect(asked).not.toContain('GET large');
});

it('joins a large value from many pieces', async () => {
  const value = 'lorem '.repeat(1_000_000);
  const { records } = await read(new Map([['k', { value }]]));
  expect(records).toEqual([['k', value, false]]);
});
