import type { Mutation, PutMutation } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { LiveRecord } from '../../model/record.ts';
import type { Client } from '../client.ts';
import { ok, type Reply, RespError } from '../protocol/reply.ts';
import { wrongArity } from '../resp-error.ts';
import { keyOf } from './arguments.ts';
import type { Args, CommandAbout, CommandSpec, Run } from './command.ts';
import { type Lifetime, lifetimeWords, positiveLifetime } from './lifetime.ts';
import { isFound } from './reads.ts';
import { type Rewriting, rewrite, withExpiry, writeIfAbsent, writeOrEnd } from './rewrite.ts';
import { type SetOptions, setOptionsOf } from './set-options.ts';

/** An argument shares memory with all that came with it, which a store that keeps it would hold as well. */
function owned(bytes: Buffer | undefined): Uint8Array {
  if (bytes === undefined) return new Uint8Array();
  return bytes.buffer.byteLength <= bytes.byteLength + 2 ? bytes : Buffer.from(bytes);
}

function putOf(key: string, value: Uint8Array, lifetime?: Exclude<Lifetime, { kind: 'past' }>): PutMutation {
  return { kind: 'put', key, value, ...(lifetime === undefined ? {} : { expiry: lifetime }) };
}

/** SET without a look at what is there. A time that is named is judged by the origin's clock: it goes alone. */
function setMutations(client: Client, args: Args): readonly Mutation[] | undefined {
  const { condition, lifetime, keepsLifetime, getsOld } = setOptionsOf(args, client.parts.clock.wallMs());
  if (condition !== undefined || keepsLifetime || getsOld) return undefined;
  if (lifetime?.kind === 'past' || lifetime?.kind === 'at') return undefined;
  return [putOf(keyOf(args[1]), owned(args[2]), lifetime)];
}

function set(client: Client, args: Args): Promise<Reply> {
  const options = setOptionsOf(args, client.parts.clock.wallMs());
  const key = keyOf(args[1]);
  const value = owned(args[2]);
  const { condition, lifetime, keepsLifetime, getsOld } = options;
  if (getsOld || keepsLifetime || condition === 'present' || (condition === 'absent' && lifetime?.kind === 'past')) {
    return rewrite(client, key, (found) => setOver(found, { key, value, options }));
  }
  if (condition === 'absent' && lifetime?.kind !== 'past') {
    return writeIfAbsent(client, putOf(key, value, lifetime)).then((isWritten) => (isWritten ? ok : null));
  }
  const mutation: Mutation = lifetime?.kind === 'past' ? { kind: 'delete', key } : putOf(key, value, lifetime);
  return client.within(async (call) => {
    await writeOrEnd(client, mutation, call);
    return ok;
  });
}

/** What SET makes of what was found. */
function setOver(
  found: LiveRecord | undefined,
  { key, value, options }: { readonly key: string; readonly value: Uint8Array; readonly options: SetOptions },
): Rewriting {
  const { condition, lifetime, keepsLifetime, getsOld } = options;
  const isMet = condition === undefined || (condition === 'present') === (found !== undefined);
  const reply = getsOld ? (found?.value ?? null) : isMet ? ok : null;
  if (!isMet) return { reply };
  if (lifetime?.kind === 'past') return found === undefined ? { reply } : { reply, mutation: { kind: 'delete', key } };
  const kept = keepsLifetime && found?.expiresAt !== undefined ? found.expiresAt : undefined;
  const expiry = kept === undefined ? lifetime : ({ kind: 'at', seconds: kept } as const);
  return { reply, mutation: putOf(key, value, expiry) };
}

function writeAll(client: Client, mutations: readonly Mutation[]): Promise<Reply> {
  return client.within(async (call) => {
    await client.write(mutations, call);
    return ok;
  });
}

function setexMutations(word: 'EX' | 'PX', command: string): (client: Client, args: Args) => readonly Mutation[] {
  return (client, args) => {
    const unit = lifetimeWords.get(word) ?? { unitMs: 1000, isRelative: true };
    const lifetime = positiveLifetime(args[2], unit, command, client.parts.clock.wallMs());
    const key = keyOf(args[1]);
    return [lifetime.kind === 'past' ? { kind: 'delete', key } : putOf(key, owned(args[3]), lifetime)];
  };
}

function msetMutations(_client: Client, args: Args): readonly Mutation[] {
  if (args.length % 2 === 0) throw wrongArity('mset');
  const count = (args.length - 1) / 2;
  if (count > limits.batchMutationsMax) {
    throw new RespError(
      `ERR a command writes at most ${limits.batchMutationsMax} keys; this one names ${count}`,
      'batch-too-long',
    );
  }
  return Array.from({ length: count }, (_, index) => putOf(keyOf(args[1 + index * 2]), owned(args[2 + index * 2])));
}

/** Deletes each, and tells how many of them this node found there before. */
function del(client: Client, args: Args): Promise<Reply> {
  const keys = [...new Set(args.slice(1).map(keyOf))];
  if (keys.length > limits.batchMutationsMax) {
    const complaint = `ERR a command deletes at most ${limits.batchMutationsMax} keys; this one names ${keys.length}`;
    throw new RespError(complaint, 'batch-too-long');
  }
  return client.within(async (call) => {
    const { answer } = await client.readAll(keys, isFound, { bytesMax: 0 }, call);
    await client.write(
      keys.map((key) => ({ kind: 'delete', key })),
      call,
    );
    return answer.filter((isThere) => isThere).length;
  });
}

/** GETEX with an option: the value, and another expiry. */
export function getex(client: Client, key: string, lifetimeOf: () => Lifetime | 'none'): Promise<Reply> {
  return rewrite(client, key, (found) => {
    if (found === undefined) return { reply: null };
    const reply = found.value;
    const lifetime = lifetimeOf();
    if (lifetime === 'none') {
      return found.expiresAt === undefined ? { reply } : { reply, mutation: withExpiry(found, undefined) };
    }
    const mutation = lifetime.kind === 'past' ? ({ kind: 'delete', key } as const) : withExpiry(found, lifetime);
    return { reply, mutation };
  });
}

type About = Pick<CommandAbout, 'name' | 'arity' | 'since' | 'summary'> & Partial<CommandAbout>;
const about = { flags: ['write', 'denyoom'], keys: [1, 1, 1] as const, group: 'string' };

/** A write that needs no look at what is there, ever or as it was called. */
function plain(
  more: About,
  mutations: (client: Client, args: Args) => readonly Mutation[] | undefined,
  run: Run = (client, args) => writeAll(client, mutations(client, args) ?? []),
): CommandSpec {
  return { ...about, ...more, order: 'write', mutations, run };
}

export const writeCommands: readonly CommandSpec[] = [
  plain({ name: 'set', arity: -3, since: '1.0.0', summary: 'Sets a value.' }, setMutations, set),
  plain(
    { name: 'setex', arity: 4, since: '2.0.0', summary: 'Sets a value that expires.' },
    setexMutations('EX', 'setex'),
  ),
  plain(
    { name: 'psetex', arity: 4, since: '2.6.0', summary: 'Sets a value that expires, in whole seconds rounded up.' },
    setexMutations('PX', 'psetex'),
  ),
  plain(
    { name: 'mset', arity: -3, keys: [1, -1, 2], since: '1.0.1', summary: 'Sets values, all or none.' },
    msetMutations,
  ),
  {
    ...about,
    ...{ name: 'setnx', arity: 3, since: '1.0.0', summary: 'Sets a value where there is none.' },
    order: 'alone',
    run: async (client, args) => {
      return (await writeIfAbsent(client, putOf(keyOf(args[1]), owned(args[2])))) ? 1 : 0;
    },
  },
  ...['del', 'unlink'].map(
    (name): CommandSpec => ({
      ...about,
      ...{ name, arity: -2, flags: ['write'], keys: [1, -1, 1], group: 'generic' },
      ...{ since: name === 'del' ? '1.0.0' : '4.0.0', summary: 'Deletes keys.' },
      order: 'alone',
      run: del,
    }),
  ),
];
