import { MeridianError } from '../../model/errors.ts';
import { groupsOf } from '../../model/groups.ts';
import { limits } from '../../model/limits.ts';
import { textOfUtf8 } from '../../model/text.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import { shownKey } from '../formats/shown-key.ts';
import { UsageError } from '../usage-error.ts';
import { odd, RedisConnection, refusal } from './redis-connection.ts';
import type { RedisReply } from './redis-reply.ts';

export interface RedisSourceOptions {
  /** `redis://[user[:password]@]host[:port][/database]`. */
  readonly url: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds without a byte while a reply is awaited. Default: 30 s. */
  readonly silenceMsMax?: number;
  /** Makes what stands for a key that is no UTF-8. */
  readonly unread: (why: UsageError, text: Uint8Array) => UnreadKey;
  /** Told of keys that hold something else than a string. */
  readonly passedBy: (keys: number) => void;
}

type UnreadKey = { readonly unread: UsageError; readonly text: string | Uint8Array };

/** Keys of one page of SCAN, about. */
const pageKeys = 500;
/** Bytes of values that are asked for together; a larger one alone. */
const groupBytesMax = 4 * 1024 * 1024;
/** What an expiry may differ by between two answers, beyond the milliseconds that passed between them. */
const roundingMs = 2;
/** How often a key is asked for that is written all the time. */
const attemptsMax = 5;

/** A string, and milliseconds that were left of it when it was read; less than 0 = it does not expire. */
interface Held {
  readonly value: Buffer;
  readonly ttlMs: number;
}

/**
 * The strings of a Redis that runs, with their expiry: SCAN, then value and expiry of the keys of a page, few large ones at
 * a time. A key that is written meanwhile comes with its old or its new value, each with the expiry that belongs to it, and
 * may come twice. One that goes away is left out; one that is too large is not fetched.
 * @throws UNAVAILABLE where Redis is not reached or ends; FAILED_PRECONDITION with what it refuses
 */
export async function* readRedis<Unread extends UnreadKey>(
  options: RedisSourceOptions & { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const connection = await RedisConnection.open(options);
  try {
    let cursor = '0';
    do {
      const [page] = await connection.ask([['SCAN', cursor, 'COUNT', String(pageKeys)]]);
      const [next, keys] = pageOf(page);
      for (const group of groupsOf(await stringsOf(connection, keys, options), { bytesMax: groupBytesMax })) {
        if (group.length === 1 && (group[0]?.bytes ?? 0) > limits.valueBytesMax) yield tooLarge(group[0], options);
        else yield* readGroup(connection, group, options);
      }
      cursor = next;
    } while (cursor !== '0');
  } finally {
    connection.close();
  }
}

interface SizedKey {
  readonly key: Buffer;
  /** Of its value, a moment ago. */
  readonly bytes: number;
}

/** The keys among these that hold strings. */
async function stringsOf(
  connection: RedisConnection,
  keys: readonly Buffer[],
  { passedBy }: RedisSourceOptions,
): Promise<readonly SizedKey[]> {
  const types = (await connection.ask(keys.map((key) => ['TYPE', key]))).map(String);
  const strings = keys.filter((_, index) => types[index] === 'string');
  passedBy(types.filter((type) => type !== 'string' && type !== 'none').length);
  const lengths = await connection.askEach(strings.map((key) => ['STRLEN', key]));
  // What holds something else by now is found to when its value is asked for.
  return strings.map((key, index) => ({ key, bytes: Number(lengths[index]) || 0 }));
}

async function* readGroup<Unread>(
  connection: RedisConnection,
  group: readonly SizedKey[],
  options: RedisSourceOptions & { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  let keys = group.map(({ key }) => key);
  for (let attempt = 1; keys.length > 0; attempt++) {
    const askedMs = options.clock.monotonicMs();
    const replies = await connection.askEach(
      keys.flatMap((key) => [
        ['PTTL', key],
        ['GET', key],
        ['PTTL', key],
      ]),
    );
    // Behind the answers, so that no expiry is too early.
    const readMs = options.clock.wallMs();
    const tookMs = options.clock.monotonicMs() - askedMs;
    const again: Buffer[] = [];
    for (const [index, key] of keys.entries()) {
      const held = heldOf(replies.slice(3 * index, 3 * index + 3), tookMs);
      if (held === 'other') options.passedBy(1);
      else if (held === 'changing') again.push(key);
      else if (held !== 'none')
        yield recordOf(key, held.value, held.ttlMs < 0 ? undefined : readMs + held.ttlMs, options);
    }
    if (again.length > 0 && attempt === attemptsMax) throw changing(again[0] ?? Buffer.alloc(0));
    keys = again;
  }
}

/** A value between two answers on its expiry, which belongs to it where they are the same. */
function heldOf(replies: readonly RedisReply[], tookMs: number): Held | 'none' | 'other' | 'changing' {
  const refused = replies.find((reply) => reply instanceof Error);
  if (refused instanceof Error) {
    if (refused.message.startsWith('WRONGTYPE')) return 'other';
    throw refusal(refused);
  }
  const [before, value, after] = replies;
  if (!(value instanceof Buffer)) return 'none';
  const [beforeMs, ttlMs] = [Number(before), Number(after)];
  // It was deleted or expired a moment later, or made a moment ago.
  if (ttlMs < -1) return 'none';
  const passedMs = beforeMs - ttlMs;
  const isSame =
    beforeMs < 0 || ttlMs < 0 ? beforeMs === ttlMs : passedMs >= -roundingMs && passedMs <= tookMs + roundingMs;
  return isSame ? { value, ttlMs } : 'changing';
}

function changing(key: Buffer): MeridianError {
  const why = `the key ${shownKey(key)} of Redis was given another expiry each of ${attemptsMax} times that it was read`;
  return new MeridianError('UNAVAILABLE', why, { reason: 'redis-changing' });
}

function tooLarge<Unread>(
  sized: SizedKey | undefined,
  { unread }: { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): Unread {
  const { key, bytes } = sized ?? { key: Buffer.alloc(0), bytes: 0 };
  return unread(
    new UsageError(`the value of ${shownKey(key)} has ${bytes} bytes; at most ${limits.valueBytesMax} are taken`),
    key,
  );
}

function recordOf<Unread>(
  key: Buffer,
  value: Buffer,
  expiresMs: number | undefined,
  { unread }: { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): ImportRecord | Unread {
  const text = textOfUtf8(key);
  if (text === undefined) {
    return unread(new UsageError(`the key ${shownKey(key)} is no UTF-8`), key);
  }
  // Never a second too early.
  return { key: text, value, ...(expiresMs === undefined ? {} : { expiration: Math.ceil(expiresMs / 1000) }) };
}

function pageOf(reply: RedisReply | undefined): readonly [string, readonly Buffer[]] {
  if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw odd('SCAN');
  return [String(reply[0]), reply[1].filter((key): key is Buffer => key instanceof Buffer)];
}
