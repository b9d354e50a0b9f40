import type { LiveRecord } from '../../model/record.ts';
import type { Client } from '../client.ts';
import { type Reply, RespError } from '../protocol/reply.ts';
import { integerOf, keyOf, wordOf } from './arguments.ts';
import type { Args, CommandSpec, Run } from './command.ts';
import { endOf, type Lifetime, type LifetimeWord, lifetimeOf } from './lifetime.ts';
import { get } from './reads.ts';
import { rewrite, withExpiry } from './rewrite.ts';
import { getexLifetime } from './set-options.ts';
import { getex } from './writes.ts';

const flagWords = ['NX', 'XX', 'GT', 'LT'] as const;
type Flag = (typeof flagWords)[number];

/** @throws RespError */
function flagsOf(args: Args): ReadonlySet<Flag> {
  const flags = new Set<Flag>();
  for (const bytes of args.slice(3)) {
    const flag = flagWords.find((word) => word === wordOf(bytes));
    if (flag === undefined) {
      throw new RespError(`ERR Unsupported option ${bytes.toString('latin1').slice(0, 64)}`, 'syntax');
    }
    flags.add(flag);
  }
  if (flags.has('NX') && flags.size > 1) {
    throw new RespError('ERR NX and XX, GT or LT options at the same time are not compatible', 'syntax');
  }
  if (flags.has('GT') && flags.has('LT')) {
    throw new RespError('ERR GT and LT options at the same time are not compatible', 'syntax');
  }
  return flags;
}

/** A key without an expiry lives for ever: later than any time. */
function isPermitted(flags: ReadonlySet<Flag>, found: LiveRecord, endMs: number): boolean {
  const presentMs = found.expiresAt === undefined ? Number.POSITIVE_INFINITY : found.expiresAt * 1000;
  if (flags.has('NX') && found.expiresAt !== undefined) return false;
  if (flags.has('XX') && found.expiresAt === undefined) return false;
  if (flags.has('GT') && endMs <= presentMs) return false;
  return !(flags.has('LT') && endMs >= presentMs);
}

function expire(name: string, word: LifetimeWord): Run {
  return (client, args) => {
    const flags = flagsOf(args);
    const nowMs = client.parts.clock.wallMs();
    const lifetime = lifetimeOf(integerOf(args[2]), word, name, nowMs);
    return setLifetime(client, keyOf(args[1]), lifetime, (found) => isPermitted(flags, found, endOf(lifetime, nowMs)));
  };
}

function setLifetime(
  client: Client,
  key: string,
  lifetime: Lifetime,
  permits: (found: LiveRecord) => boolean,
): Promise<Reply> {
  return rewrite(client, key, (found) => {
    if (found === undefined || !permits(found)) return { reply: 0 };
    const mutation = lifetime.kind === 'past' ? ({ kind: 'delete', key } as const) : withExpiry(found, lifetime);
    return { reply: 1, mutation };
  });
}

function persist(client: Client, args: Args): Promise<Reply> {
  return rewrite(client, keyOf(args[1]), (found) => {
    if (found?.expiresAt === undefined) return { reply: 0 };
    return { reply: 1, mutation: withExpiry(found, undefined) };
  });
}

const about = { flags: ['write', 'fast'], keys: [1, 1, 1] as const, group: 'generic', order: 'alone' } as const;

export const expiryCommands: readonly CommandSpec[] = [
  ...(
    [
      ['expire', { unitMs: 1000, isRelative: true }, '1.0.0'],
      ['pexpire', { unitMs: 1, isRelative: true }, '2.6.0'],
      ['expireat', { unitMs: 1000, isRelative: false }, '1.2.0'],
      ['pexpireat', { unitMs: 1, isRelative: false }, '2.6.0'],
    ] as const
  ).map(
    ([name, word, since]): CommandSpec => ({
      ...about,
      ...{ name, arity: -3, since, summary: 'Gives a key another expiry, in whole seconds.' },
      run: expire(name, word),
    }),
  ),
  { ...about, name: 'persist', arity: 2, since: '2.2.0', summary: 'Takes the expiry off a key.', run: persist },
  {
    ...about,
    ...{ name: 'getex', arity: -2, group: 'string', since: '6.2.0', summary: 'A value, and another expiry for it.' },
    run: (client, args) => {
      const lifetimeOf = getexLifetime(args, client.parts.clock.wallMs());
      return lifetimeOf === undefined ? get(client, args) : getex(client, keyOf(args[1]), lifetimeOf);
    },
  },
];
