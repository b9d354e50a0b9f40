import type { GetAnswer } from '../../model/key-value.ts';
import type { Client, ReadTerms } from '../client.ts';
import { ok, type Reply, RespError } from '../protocol/reply.ts';
import { syntaxError } from '../resp-error.ts';
import { integerOf, keyOf, wordOf } from './arguments.ts';
import type { Args, CommandSpec } from './command.ts';
import { liveOf } from './reads.ts';

/** @throws RespError */
function maxAgeOf(bytes: Buffer | undefined): number {
  const ms = integerOf(bytes);
  if (ms < 0) throw new RespError(`ERR a MAXAGE is 0 or more milliseconds, not ${ms}`, 'bad-max-age');
  return ms;
}

function termsOf(args: Args): ReadTerms {
  let terms: ReadTerms = {};
  for (let at = 2; at < args.length; at++) {
    const word = wordOf(args[at]);
    if (word === 'MAXAGE' && at + 1 < args.length) terms = { ...terms, maxStalenessMs: maxAgeOf(args[++at]) };
    else if (word === 'ORIGIN') terms = { ...terms, atOrigin: true };
    else throw syntaxError();
  }
  return terms;
}

/** Value, version, source, and the bound in whole milliseconds; nil where there is none, or nobody knows. */
function withProvenance(answer: GetAnswer): Reply {
  const record = liveOf(answer);
  const bound = answer.bound === undefined ? null : Math.ceil(answer.bound.boundMs);
  return [record?.value ?? null, record?.stamp ?? null, answer.source, bound];
}

function getWithProvenance(client: Client, args: Args): Reply | Promise<Reply> {
  const key = keyOf(args[1]);
  const answer = args.length === 2 ? client.peek(key) : undefined;
  return answer === undefined ? client.get(key, withProvenance, termsOf(args)) : withProvenance(answer);
}

function maxAge(client: Client, args: Args): Reply {
  client.maxStalenessMs = wordOf(args[1]) === 'DEFAULT' ? undefined : maxAgeOf(args[1]);
  return ok;
}

const about = { group: 'meridian', since: '1.0.0', flags: ['readonly', 'fast'] } as const;

export const meridianCommands: readonly CommandSpec[] = [
  {
    ...about,
    ...{ name: 'meridian.get', arity: -2, keys: [1, 1, 1], order: 'read' },
    summary: 'A value, its version, where it was read, and how old it may be.',
    run: getWithProvenance,
  },
  {
    ...about,
    ...{ name: 'meridian.maxage', arity: 2, keys: [0, 0, 0], order: 'alone' },
    summary: 'How old answers on this connection may be, in milliseconds, or DEFAULT.',
    run: maxAge,
  },
];
