import { syntaxError } from '../resp-error.ts';
import { wordOf } from './arguments.ts';
import type { Args } from './command.ts';
import { type Lifetime, type LifetimeWord, lifetimeWords, positiveLifetime } from './lifetime.ts';

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
  let timed: readonly [word: LifetimeWord, amount: Buffer | undefined] | undefined;
  let [keepsLifetime, getsOld] = [false, false];
  for (let at = 3; at < args.length; at++) {
    const word = wordOf(args[at]);
    const unit = lifetimeWords.get(word);
    if (unit !== undefined && at + 1 < args.length && (timed?.[0] ?? unit) === unit && !keepsLifetime) {
      timed = [unit, args[++at]];
    } else if ((word === 'NX' || word === 'XX') && (condition ?? conditions[word]) === conditions[word]) {
      condition = conditions[word];
    } else if (word === 'KEEPTTL' && timed === undefined) keepsLifetime = true;
    else if (word === 'GET') getsOld = true;
    else throw syntaxError();
  }
  // Only now: what is no option at all is complained of first.
  const lifetime = timed && positiveLifetime(timed[1], timed[0], 'set', nowMs);
  return {
    keepsLifetime,
    getsOld,
    ...(condition === undefined ? {} : { condition }),
    ...(lifetime === undefined ? {} : { lifetime }),
  };
}

const conditions = { NX: 'absent', XX: 'present' } as const;

/**
 * What follows `GETEX key`; undefined where nothing does. The amount is read once the key was found, as Redis does: of an
 * absent one it complains of nothing. @throws RespError; so does what it returns
 */
export function getexLifetime(args: Args, nowMs: number): (() => Lifetime | 'none') | undefined {
  const word = wordOf(args[2]);
  if (args.length === 2) return undefined;
  if (args.length === 3 && word === 'PERSIST') return () => 'none';
  const timed = lifetimeWords.get(word);
  if (timed === undefined || args.length !== 4) throw syntaxError();
  return () => positiveLifetime(args[3], timed, 'getex', nowMs);
}
