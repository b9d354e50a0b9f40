import { syntaxError } from '../resp-error.ts';
import { wordOf } from './arguments.ts';
import type { Args } from './command.ts';
import { type Lifetime, lifetimeWords, positiveLifetime } from './lifetime.ts';

export interface SetOptions {
  readonly condition?: 'absent' | 'present';
  readonly lifetime?: Lifetime;
  readonly keepsLifetime: boolean;
  readonly getsOld: boolean;
}

const plain: SetOptions = { keepsLifetime: false, getsOld: false };

/** What follows `SET key value`. @throws RespError */
export function setOptionsOf(args: Args, nowMs: number): SetOptions {
  if (args.length === 3) return plain;
  let condition: SetOptions['condition'];
  let lifetime: Lifetime | undefined;
  let [keepsLifetime, getsOld] = [false, false];
  for (let at = 3; at < args.length; at++) {
    const word = wordOf(args[at]);
    const timed = lifetimeWords.get(word);
    if (timed !== undefined && at + 1 < args.length && lifetime === undefined && !keepsLifetime) {
      lifetime = positiveLifetime(args[++at], timed, 'set', nowMs);
    } else if ((word === 'NX' || word === 'XX') && (condition ?? conditions[word]) === conditions[word]) {
      condition = conditions[word];
    } else if (word === 'KEEPTTL' && lifetime === undefined) keepsLifetime = true;
    else if (word === 'GET') getsOld = true;
    else throw syntaxError();
  }
  return {
    keepsLifetime,
    getsOld,
    ...(condition === undefined ? {} : { condition }),
    ...(lifetime === undefined ? {} : { lifetime }),
  };
}

const conditions = { NX: 'absent', XX: 'present' } as const;

/** What follows `GETEX key`; undefined where nothing does. @throws RespError */
export function getexLifetime(args: Args, nowMs: number): Lifetime | 'none' | undefined {
  const word = wordOf(args[2]);
  if (args.length === 2) return undefined;
  if (args.length === 3 && word === 'PERSIST') return 'none';
  const timed = lifetimeWords.get(word);
  if (timed === undefined || args.length !== 4) throw syntaxError();
  return positiveLifetime(args[3], timed, 'getex', nowMs);
}
