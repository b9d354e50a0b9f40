import type { Call } from '../../model/call.ts';
import type { ListedKey } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { nextTurn } from '../../runtime/next-turn.ts';
import { orUndo } from '../../runtime/or-undo.ts';
import type { Client } from '../client.ts';
import { HeldValue, type Reply, RespError } from '../protocol/reply.ts';
import { syntaxError } from '../resp-error.ts';
import { integerOf, wordOf } from './arguments.ts';
import type { Args, CommandSpec } from './command.ts';
import { type Glob, parseGlob } from './glob.ts';

const bounds = {
  /** Keys that KEYS answers. */
  keysMax: 10_000,
  /** Keys that KEYS and DBSIZE look at. */
  walkedMax: 1_000_000,
  /** Bytes of a pattern; no key is longer than 512, but each of its bytes may be a class. */
  patternBytesMax: 16 * 1024,
  scanCount: 10,
  /** Steps of comparing keys with a pattern before others have their turn: some milliseconds. */
  stepsMax: 1_000_000,
} as const;

interface ScanOptions {
  readonly glob: Glob;
  readonly limit: number;
  /** A type that no key has: nothing is found. */
  readonly isNothing: boolean;
}

function globOf(pattern: Buffer): Glob {
  if (pattern.byteLength <= bounds.patternBytesMax) return parseGlob(pattern);
  throw new RespError(
    `ERR a pattern has at most ${bounds.patternBytesMax} bytes; this one has ${pattern.byteLength}`,
    'pattern-too-long',
  );
}

function scanOptionsOf(args: Args): ScanOptions {
  let glob = parseGlob(Buffer.from('*'));
  let limit: number = bounds.scanCount;
  let isNothing = false;
  for (let at = 2; at < args.length; at += 2) {
    const [word, value] = [wordOf(args[at]), args[at + 1]];
    if (value === undefined) throw syntaxError();
    if (word === 'MATCH') glob = globOf(value);
    else if (word === 'TYPE') isNothing = wordOf(value) !== 'STRING';
    else if (word === 'COUNT') {
      limit = Math.min(integerOf(value), limits.listKeysMax);
      if (limit < 1) throw syntaxError();
    } else throw syntaxError();
  }
  return { glob, limit, isNothing };
}

function scan(client: Client, args: Args): Promise<Reply> {
  const { namespace } = client;
  const { cursors } = client.parts;
  const number = args[1]?.toString('latin1') ?? '';
  if (!/^\d{1,20}$/.test(number)) throw new RespError('ERR invalid cursor', 'invalid-cursor');
  const { glob, limit, isNothing } = scanOptionsOf(args);
  const { prefix } = glob;
  const from = number === '0' ? undefined : cursors.get(number);
  if (number !== '0' && (from?.namespace !== namespace || from.prefix !== prefix)) {
    const why = 'this node knows it no longer, or it is of another namespace or pattern: begin again with 0';
    throw new RespError(`ERR invalid cursor: ${why}`, 'invalid-cursor');
  }
  return client.within(async (call) => {
    if (isNothing || Buffer.byteLength(prefix) > limits.keyBytesMax) return ['0', []];
    const page = { prefix, limit, ...(from === undefined ? {} : { cursor: from.cursor }) };
    const { answer, release } = await client.listHeld(page, call);
    const { keys, cursor } = answer;
    const next = cursor === undefined ? '0' : cursors.add({ namespace, prefix, cursor }, from && number, client.share);
    return new HeldValue([next, await orUndo(matching(keys, glob, call), release)], release);
  });
}

/** Long keys and a long pattern take hundreds of thousands of steps each. */
async function matching(keys: readonly ListedKey[], glob: Glob, call: Call): Promise<string[]> {
  if (glob.isPrefixAlone) return keys.map(({ key }) => key);
  const found: string[] = [];
  let steps = 0;
  for (const { key } of keys) {
    steps += key.length * glob.partsMax;
    if (steps > bounds.stepsMax) {
      steps = 0;
      await nextTurn();
      call.signal.throwIfAborted();
    }
    if (glob.matches(key)) found.push(key);
  }
  return found;
}

/** Page by page through the keys of a prefix. @throws RespError beyond the bound */
async function* pages(client: Client, prefix: string, call: Call): AsyncGenerator<readonly ListedKey[]> {
  let walked = 0;
  let cursor: string | undefined;
  do {
    const page = { prefix, limit: limits.listKeysMax, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await client.list(page, call);
    walked += answer.keys.length;
    if (walked > bounds.walkedMax) {
      throw new RespError(`ERR there are more than ${bounds.walkedMax} keys to look at: use SCAN`, 'too-many-keys');
    }
    yield answer.keys;
    ({ cursor } = answer);
    call.signal.throwIfAborted();
  } while (cursor !== undefined);
}

function keys(client: Client, args: Args): Promise<Reply> {
  const glob = globOf(args[1] ?? Buffer.alloc(0));
  return client.within(async (call) => {
    if (Buffer.byteLength(glob.prefix) > limits.keyBytesMax) return [];
    const release = await client.reserve(bounds.keysMax * limits.keyBytesMax, call);
    return new HeldValue(await orUndo(allMatching(client, glob, call), release), release);
  });
}

/** @throws RespError where there are more than one reply may have */
async function allMatching(client: Client, glob: Glob, call: Call): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of pages(client, glob.prefix, call)) {
    found.push(...(await matching(page, glob, call)));
    if (found.length <= bounds.keysMax) continue;
    throw new RespError(
      `ERR KEYS answers at most ${bounds.keysMax} keys, and there are more: use SCAN`,
      'too-many-keys',
    );
  }
  return found;
}

function dbsize(client: Client): Promise<Reply> {
  return client.within(async (call) => {
    let count = 0;
    for await (const page of pages(client, '', call)) count += page.length;
    return count;
  });
}

/** One at a time of a connection: each may take seconds, and room for a large reply. */
const about = { keys: [0, 0, 0] as const, order: 'alone', flags: ['readonly'] } as const;

export const keyspaceCommands: readonly CommandSpec[] = [
  {
    ...about,
    ...{ name: 'scan', arity: -2, group: 'generic', since: '2.8.0', summary: 'Keys, page by page, in their order.' },
    run: scan,
  },
  {
    ...about,
    ...{ name: 'keys', arity: 2, group: 'generic', since: '1.0.0', summary: 'Keys that match, up to a bound.' },
    run: keys,
  },
  {
    ...about,
    ...{ name: 'dbsize', arity: 1, group: 'server', since: '1.0.0', summary: 'Counts the keys, up to a bound.' },
    run: dbsize,
  },
];
