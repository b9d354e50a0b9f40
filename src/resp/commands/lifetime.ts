import type { Expiry } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { invalidExpiry } from '../resp-error.ts';
import { integerOf } from './arguments.ts';

/**
 * How long a key is to live. Meridian's expiries are whole seconds, one at least; milliseconds are rounded up to them, so
 * that nothing lives shorter than it was told. `past` is a time that is over: the key ends at once.
 */
export type Lifetime = Expiry | { readonly kind: 'past' };

/** The words of Redis' options: the unit in milliseconds, and whether the time counts from now. */
export const lifetimeWords: ReadonlyMap<string, LifetimeWord> = new Map([
  ['EX', { unitMs: 1000, isRelative: true }],
  ['PX', { unitMs: 1, isRelative: true }],
  ['EXAT', { unitMs: 1000, isRelative: false }],
  ['PXAT', { unitMs: 1, isRelative: false }],
]);

export interface LifetimeWord {
  readonly unitMs: number;
  readonly isRelative: boolean;
}

/** As SET and its like take it: above zero. @throws RespError */
export function positiveLifetime(
  bytes: Buffer | undefined,
  word: LifetimeWord,
  command: string,
  nowMs: number,
): Lifetime {
  const amount = integerOf(bytes);
  if (amount <= 0) throw invalidExpiry(command);
  return lifetimeOf(amount, word, command, nowMs);
}

/** As EXPIRE and its like take it: what is not above zero is past. @throws RespError where it is too late */
export function lifetimeOf(
  amount: number,
  { unitMs, isRelative }: LifetimeWord,
  command: string,
  nowMs: number,
): Lifetime {
  const seconds = Math.ceil((amount * unitMs) / 1000);
  const atSeconds = isRelative ? Math.ceil(nowMs / 1000) + seconds : seconds;
  if (atSeconds > limits.expirySecondsMax) throw invalidExpiry(command);
  if (isRelative) return seconds <= 0 ? { kind: 'past' } : { kind: 'in', seconds };
  return amount * unitMs <= nowMs ? { kind: 'past' } : { kind: 'at', seconds };
}

/** When the lifetime is over, in milliseconds since 1970. */
export function endOf(lifetime: Lifetime, nowMs: number): number {
  switch (lifetime.kind) {
    case 'past':
      return nowMs;
    case 'in':
      return nowMs + lifetime.seconds * 1000;
    case 'at':
      return lifetime.seconds * 1000;
  }
}
