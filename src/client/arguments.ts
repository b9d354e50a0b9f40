import { MeridianError } from '../model/errors.ts';
import { checkKey } from '../model/key.ts';
import { type Durability, durabilities } from '../model/key-value.ts';
import { limits } from '../model/limits.ts';
import { checkText } from '../model/text.ts';

/**
 * What callers hand to a namespace, taken as the runtime of Workers takes it (docs/workers-kv.md has the table): a key
 * that is a number is its text, a time with a fraction loses it. What that runtime takes and could only be a mistake, as
 * text that is no UTF-8, is refused.
 */

/** Throws a TypeError where fewer arguments came than the call needs: `get()` is no `get(undefined)`. */
export function needArguments(call: string, given: number, needed: number): void {
  if (given < needed) throw new TypeError(`${call} needs ${needed} arguments; it was given ${given}`);
}

/** The key's text. @throws TypeError for a symbol; INVALID_ARGUMENT as `checkKey` */
export function keyOf(key: unknown): string {
  // Unlike String(), this refuses a symbol, as the runtime does.
  const text = typeof key === 'string' ? key : `${key}`;
  checkKey(text);
  return text;
}

/** 1 to 100 of them. @throws INVALID_ARGUMENT naming the one that is no key */
export function keysOf(keys: readonly unknown[]): readonly string[] {
  const count = keys.length;
  if (count < 1 || count > limits.batchGetKeysMax) {
    throw new MeridianError('INVALID_ARGUMENT', `1 to ${limits.batchGetKeysMax} keys at once; these are ${count}`, {
      reason: 'batch-too-large',
      limit: limits.batchGetKeysMax,
      seen: count,
    });
  }
  return keys.map((key, index) => naming(`key ${index} of ${count}`, () => keyOf(key)));
}

/** Runs, and lets a refusal say what it is about: `mutation 3 of 10: a key must not be empty`. */
export function naming<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw named(what, error);
  }
}

/** The same error, with what it is about before its message. */
export function named(what: string, error: unknown): unknown {
  if (error instanceof TypeError) return new TypeError(`${what}: ${error.message}`, { cause: error });
  if (!(error instanceof MeridianError)) return error;
  return new MeridianError(error.code, `${what}: ${error.message}`, { ...error.details, cause: error });
}

/** The options, none where they are null or left out. @throws TypeError for what is no object */
export function optionsOf<Options extends object>(options: Options | null | undefined): Options | Record<never, never> {
  if (options === undefined || options === null) return {};
  if (typeof options === 'object' || typeof options === 'function') return options;
  throw new TypeError(`options must be an object, not ${String(options)}`);
}

/**
 * The level; null is none. What is unknown must not become the node's own, which may be less.
 * @throws INVALID_ARGUMENT, reason `bad-durability`
 */
export function durabilityOf(value: unknown): Durability | undefined {
  if (value === undefined || value === null) return undefined;
  const level = durabilities.find((one) => one === value);
  if (level !== undefined) return level;
  const message = `durability must be ${durabilities.join(', ')}; it is ${String(value)}`;
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-durability' });
}

/** Text such as a prefix; null is none. @throws INVALID_ARGUMENT, reason `not-utf8` */
export function textOf(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = `${value}`;
  checkText(text, what);
  return text;
}

/**
 * The whole part of a number, or of a text that spells one: what is none is 0, as where the runtime needs an integer.
 * @throws TypeError for a bigint and a symbol
 */
export function wholePart(value: unknown, what: string): number {
  if (typeof value === 'bigint' || typeof value === 'symbol') throw new TypeError(`${what} must be a number`);
  const number = Math.trunc(Number(value));
  // Also -0, which would be written so.
  return Number.isFinite(number) ? number + 0 : 0;
}
