import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RespClient, type Seen } from '../../../resp/served.ts';
import { ProcessCluster, placeOf } from '../../process-cluster.ts';
import { hasRedis, type RunningRedis, startRedis } from './redis-server.ts';

const keys = ['a', 'b', 'k:1', 'k:2', 'ключ'];
const key = fc.constantFrom(...keys);
const value = fc.oneof(fc.constantFrom('', '0', 'value', '10'), fc.uint8Array({ maxLength: 20 }));
/** Whole seconds in the far future, so that nothing expires and rounding shows nowhere. */
const at = fc.constantFrom('4000000000', '4000000001');
const seconds = fc.constantFrom('1000', '5000');
const odd = fc.constantFrom('0', '-1', 'x', '1.5', '');
type Word = string | Uint8Array;
type Command = readonly Word[];

const join = (...parts: ReadonlyArray<fc.Arbitrary<readonly Word[]>>): fc.Arbitrary<Command> =>
  fc.tuple(...parts).map((all) => all.flat());
const words = (...all: readonly string[]) => fc.constant(all);
const one = (arbitrary: fc.Arbitrary<Word>) => arbitrary.map((word) => [word]);

const lifetime = fc.oneof(
  { weight: 4, arbitrary: join(words('EX'), one(seconds)) },
  { weight: 4, arbitrary: join(words('PX'), one(seconds.map((text) => `${text}000`))) },
  { weight: 4, arbitrary: join(words('EXAT'), one(at)) },
  { weight: 4, arbitrary: join(words('PXAT'), one(at.map((text) => `${text}000`))) },
  words('EXAT', '1'),
  words('EX'),
  join(fc.constantFrom(['EX'], ['PX'], ['exat'], ['PXAT']), one(odd)),
);
const setOption = fc.oneof(lifetime, fc.constantFrom(['NX'], ['XX'], ['GET'], ['KEEPTTL'], ['nx'], ['NONSENSE']));
const several = fc.array(key, { minLength: 1, maxLength: 4 });

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: join(words('SET'), one(key), one(value)) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(key, value, fc.array(setOption, { maxLength: 3 }))
      .map(([k, v, options]) => ['SET', k, v, ...options.flat()]),
  },
  { weight: 6, arbitrary: join(fc.constantFrom(['GET'], ['STRLEN'], ['TYPE'], ['EXISTS'], ['get']), one(key)) },
  { weight: 4, arbitrary: join(fc.constantFrom(['TTL'], ['PTTL'], ['EXPIRETIME'], ['PEXPIRETIME']), one(key)) },
  { weight: 4, arbitrary: join(fc.constantFrom(['MGET'], ['EXISTS'], ['DEL'], ['UNLINK']), several) },
  {
    weight: 2,
    arbitrary: join(words('MSET'), fc.array(fc.oneof(key, value), { minLength: 1, maxLength: 5 })).filter(namesKeys),
  },
  join(words('SETNX'), one(key), one(value)),
  join(words('SETEX'), one(key), one(fc.oneof(seconds, odd)), one(value)),
  join(words('PSETEX'), one(key), one(fc.oneof(fc.constant('1000000'), odd)), one(value)),
  join(words('GETEX'), one(key), fc.oneof(words(), words('PERSIST'), lifetime, words('NONSENSE'))),
  join(words('PERSIST'), one(key)),
  join(words('EXPIRE'), one(key), one(fc.oneof(seconds, odd)), fc.oneof(words(), words('NX'), words('XX'))),
  join(words('PEXPIRE'), one(key), one(fc.constantFrom('1000000', '-5')), fc.oneof(words(), words('nx'))),
  {
    weight: 2,
    arbitrary: join(
      words('EXPIREAT'),
      one(fc.oneof(key)),
      one(fc.oneof(at, fc.constant('1'))),
      fc.array(fc.constantFrom('NX', 'XX', 'GT', 'LT', 'NONSENSE'), { maxLength: 2 }),
    ),
  },
  join(words('PEXPIREAT'), one(key), one(at.map((text) => `${text}000`)), fc.constantFrom([], ['GT'], ['LT'])),
  join(
    words('KEYS'),
    one(fc.constantFrom('*', 'k:*', 'k:?', 'k:[12]', 'k:[^1]', 'к*', '?', '\\a', '[a-', 'a', 'none*')),
  ),
  fc.constantFrom(
    ['DBSIZE'],
    ['PING'],
    ['PING', 'x'],
    ['ECHO', 'y'],
    ['PING', 'a', 'b'],
    ['SET', 'a'],
    ['GET'],
    ['NONSENSE', 'a', 'b'],
  ),
);

/** A key that Redis has and Meridian has not would make all that follows differ. */
function namesKeys(mset: Command): boolean {
  return mset.slice(1).every((word, index) => index % 2 === 1 || (typeof word === 'string' && keys.includes(word)));
}

/** What depends on the moment alone is as good as equal. */
function comparable([name]: Command, reply: Seen | undefined): unknown {
  const word = String(name).toUpperCase();
  const isTime = ['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME'].includes(word);
  const isFar = word.startsWith('P') ? 4e12 : 4e9;
  if (isTime && typeof reply === 'number' && reply >= 0 && reply < isFar) return 'some time';
  return word === 'KEYS' && Array.isArray(reply) ? [...reply].sort() : reply;
}

describe.runIf(hasRedis)('a random sequence of commands', () => {
  const cluster = new ProcessCluster();
  const clients: Record<string, RespClient> = {};
  let redis: RunningRedis;

  beforeAll(async () => {
    redis = await startRedis();
    const flags = ['--redis', '127.0.0.1:0', '--redis-database', '0=config'];
    const origin = await cluster.start('origin', 'iad', { flags });
    await cluster.connect(origin).namespaces.create('config');
    const upstream = ['--upstream', placeOf(origin.grpc)];
    const cache = await cluster.start('edge', 'cache', { flags: [...flags, ...upstream] });
    const copy = await cluster.start('edge', 'copy', { flags: [...flags, ...upstream, '--replicate', '*'] });
    for (const [name, node] of Object.entries({ origin, cache, copy })) {
      clients[name] = await RespClient.connect(node.redis?.port ?? 0);
    }
  });

  afterAll(async () => {
    for (const { socket } of Object.values(clients)) socket.destroy();
    await redis?.close();
    await cluster.close();
  });

  it.each(['origin', 'cache', 'copy'])('is answered as by Redis, one by one and in a pipeline (%s)', async (name) => {
    const ours = clients[name];
    const theirs = await RespClient.connect(redis.port);
    expect(ours).toBeDefined();
    if (ours === undefined) return;
    const run = async (commands: readonly Command[], client: RespClient, isPipelined: boolean) => {
      await client.ask('DEL', ...keys);
      const replies: Seen[] = [];
      if (isPipelined) replies.push(...(await client.pipeline(...commands)));
      else for (const args of commands) replies.push(await client.ask(...args));
      return commands.map((args, index) => [args, comparable(args, replies[index])]);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), fc.boolean(), async (commands, isPipelined) => {
        const expected = await run(commands, theirs, isPipelined);
        expect(await run(commands, ours, isPipelined)).toEqual(expected);
      }),
      { numRuns: Number(process.env['REDIS_RUNS'] ?? 40) },
    );
    theirs.socket.destroy();
  });
});
