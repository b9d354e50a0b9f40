import type { Call } from '../../model/call.ts';
import type { GetAnswer } from '../../model/key-value.ts';
import { valueBytesOf } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { LiveRecord } from '../../model/record.ts';
import { type Client, largeBytesMin } from '../client.ts';
import { HeldValue, type Reply, Status } from '../protocol/reply.ts';
import { keyOf } from './arguments.ts';
import type { Args, CommandAbout, CommandSpec, Run } from './command.ts';

const string = new Status('string');
const none = new Status('none');

/** What the answer shows, where that is a value. */
export function liveOf({ record }: GetAnswer): LiveRecord | undefined {
  return record?.kind === 'live' ? record : undefined;
}

export function isFound({ record }: GetAnswer): boolean {
  return record?.kind === 'live';
}

export function foundValue(answer: GetAnswer): Reply {
  return liveOf(answer)?.value ?? null;
}

/** A command that reads one key, and tells something of what it found. */
function readOne(reply: (answer: GetAnswer, client: Client) => Reply): Run {
  return (client, args) => {
    const key = keyOf(args[1]);
    const answer = client.peek(key);
    return answer === undefined ? client.get(key, (got) => reply(got, client)) : reply(answer, client);
  };
}

/** Bytes of all values of one reply with several. */
const replyBytesMax = limits.valueBytesMax + 1024 * 1024;

/** A command that reads several keys, and picks of each what makes its reply. */
function readSeveral<T>(pick: (answer: GetAnswer) => T, bytesMax: number, reply: (picked: readonly T[]) => Reply): Run {
  return (client, args) => {
    const keys = args.slice(1).map(keyOf);
    const picked: T[] = [];
    let bytes = 0;
    for (const key of keys) {
      const answer = bytes < largeBytesMin ? client.peek(key) : undefined;
      if (answer === undefined) return client.within(rest);
      if (bytesMax > 0) bytes += valueBytesOf(answer);
      picked.push(pick(answer));
    }
    return reply(picked);

    async function rest(call: Call): Promise<Reply> {
      const held = await client.readAll(keys.slice(picked.length), pick, { bytesMax, bytes }, call);
      return new HeldValue(reply([...picked, ...held.answer]), held.release);
    }
  };
}

/** Milliseconds or seconds that are left, whole; -1 without an expiry, -2 where there is no key. */
function leftOf(unitMs: number): Run {
  return readOne((answer, client) => {
    const record = liveOf(answer);
    if (record === undefined) return -2;
    if (record.expiresAt === undefined) return -1;
    return Math.max(0, Math.floor((record.expiresAt * 1000 - client.parts.clock.wallMs()) / unitMs));
  });
}

function expiryOf(unitMs: number): Run {
  return readOne((answer) => {
    const record = liveOf(answer);
    if (record === undefined) return -2;
    return record.expiresAt === undefined ? -1 : (record.expiresAt * 1000) / unitMs;
  });
}

/** GET, before all others: what is there is answered without a closure. */
export function get(client: Client, args: Args): Reply | Promise<Reply> {
  const key = keyOf(args[1]);
  const answer = client.peek(key);
  return answer === undefined ? client.get(key, foundValue) : foundValue(answer);
}

function read(about: Omit<CommandAbout, 'flags' | 'keys'> & Partial<CommandAbout>, run: Run): CommandSpec {
  return { flags: ['readonly', 'fast'], keys: [1, 1, 1], ...about, order: 'read', run };
}

export const readCommands: readonly CommandSpec[] = [
  read({ name: 'get', arity: 2, group: 'string', since: '1.0.0', summary: 'The value of a key.' }, get),
  read(
    { name: 'mget', arity: -2, keys: [1, -1, 1], group: 'string', since: '1.0.0', summary: 'The values of keys.' },
    readSeveral(foundValue, replyBytesMax, (values) => values),
  ),
  read(
    { name: 'strlen', arity: 2, group: 'string', since: '2.2.0', summary: 'The bytes of a value.' },
    readOne((answer) => liveOf(answer)?.value.byteLength ?? 0),
  ),
  read(
    { name: 'exists', arity: -2, keys: [1, -1, 1], group: 'generic', since: '1.0.0', summary: 'How many keys exist.' },
    readSeveral(isFound, 0, (found) => found.filter((isThere) => isThere).length),
  ),
  read(
    { name: 'type', arity: 2, group: 'generic', since: '1.0.0', summary: 'The type of a value: string.' },
    readOne((answer) => (liveOf(answer) === undefined ? none : string)),
  ),
  read({ name: 'ttl', arity: 2, group: 'generic', since: '1.0.0', summary: 'Seconds until expiry.' }, leftOf(1000)),
  read({ name: 'pttl', arity: 2, group: 'generic', since: '2.6.0', summary: 'Milliseconds until expiry.' }, leftOf(1)),
  read(
    { name: 'expiretime', arity: 2, group: 'generic', since: '7.0.0', summary: 'Seconds since 1970 of the expiry.' },
    expiryOf(1000),
  ),
  read(
    {
      name: 'pexpiretime',
      arity: 2,
      group: 'generic',
      since: '7.0.0',
      summary: 'Milliseconds since 1970 of the expiry.',
    },
    expiryOf(1),
  ),
];
