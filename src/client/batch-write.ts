import { MeridianError } from '../model/errors.ts';
import { checkKey } from '../model/key.ts';
import type { Condition, Durability, Expiry, Mutation } from '../model/key-value.ts';
import { parseStamp } from '../model/stamp.ts';
import { named, textOf, wholePart } from './arguments.ts';
import type { ConditionOptions, PutContent } from './call-options.ts';
import { encodeValue, type ValueBody, type Within } from './value-body.ts';

/** One change of a batch. */
export type BatchMutation =
  | ({ readonly kind: 'put'; readonly key: string; readonly value: ValueBody } & PutContent & ConditionOptions)
  | ({ readonly kind: 'delete'; readonly key: string } & ConditionOptions);

/** What became of a batch: all of it is written. */
export interface BatchResult {
  /** One for each mutation, in their order. */
  readonly written: ReadonlyArray<{
    readonly version: string;
    /** Seconds since 1970; `null` = never. */
    readonly expiration: number | null;
  }>;
  /** The level that was reached. */
  readonly durability: Durability;
  /** The id of the origin that took the batch. */
  readonly origin: string;
}

/**
 * A user's mutations as the model's. @throws TypeError, INVALID_ARGUMENT: of several, naming the one that is refused;
 * DEADLINE_EXCEEDED, CANCELLED where a stream has not ended by then
 */
export async function toMutations(mutations: readonly BatchMutation[], within: Within): Promise<readonly Mutation[]> {
  const count = mutations.length;
  const made = mutations.map((mutation, index) => {
    const refuse = (error: unknown): never => {
      throw count === 1 ? error : named(`mutation ${index} of ${count}`, error);
    };
    try {
      const one = toMutation(mutation, within);
      return one instanceof Promise ? one.catch(refuse) : one;
    } catch (error) {
      // A stream before it may fail too, so that each failure has somebody who waits for it.
      return Promise.reject(error).catch(refuse);
    }
  });
  return made.some((one) => one instanceof Promise) ? Promise.all(made) : (made as readonly Mutation[]);
}

/** At once, unless its value is a stream: a batch of a thousand small records makes no promise for each. */
function toMutation(mutation: BatchMutation, within: Within): Mutation | Promise<Mutation> {
  const { kind, key }: { readonly kind: unknown; readonly key: unknown } = mutation;
  if (kind !== 'put' && kind !== 'delete') throw new TypeError(`a mutation is a put or a delete, not ${String(kind)}`);
  if (typeof key !== 'string') throw new TypeError(`a key must be a string, not ${String(key)}`);
  checkKey(key);
  const condition = toCondition(mutation);
  const common = { key, ...(condition === undefined ? {} : { condition }) };
  if (mutation.kind === 'delete') return { kind: 'delete', ...common };
  const expiry = toExpiry(mutation);
  const metadata = toMetadata(mutation);
  const withValue = (value: Uint8Array): Mutation => ({
    kind: 'put',
    ...common,
    value,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiry === undefined ? {} : { expiry }),
  });
  const value = encodeValue(mutation.value, within);
  return value instanceof Promise ? value.then(withValue) : withValue(value);
}

function toCondition({ ifAbsent, ifVersion }: ConditionOptions): Condition | undefined {
  // A text, say, that is taken for no condition would let the write replace what is there.
  if (typeof (ifAbsent ?? false) !== 'boolean') {
    throw new MeridianError('INVALID_ARGUMENT', `ifAbsent must be true or false; it is ${String(ifAbsent)}`, {
      reason: 'bad-condition',
    });
  }
  if (ifAbsent === true && ifVersion !== undefined) {
    throw new MeridianError('INVALID_ARGUMENT', 'ifAbsent and ifVersion exclude each other', {
      reason: 'bad-condition',
    });
  }
  if (ifAbsent === true) return { kind: 'absent' };
  if (ifVersion === undefined) return undefined;
  const version = parseStamp(ifVersion);
  if (version !== undefined) return { kind: 'version', version };
  throw new MeridianError('INVALID_ARGUMENT', `a version is 32 lower-case hex digits, not "${ifVersion}"`, {
    reason: 'bad-version',
  });
}

function toExpiry({ expirationTtl, expiration }: PutContent): Expiry | undefined {
  if (expirationTtl !== undefined) return { kind: 'in', seconds: wholeSeconds('expirationTtl', expirationTtl) };
  return expiration === undefined ? undefined : { kind: 'at', seconds: wholeSeconds('expiration', expiration) };
}

/** The wire has no room for what is no whole number: a fraction is left out, as in the runtime of Workers. */
function wholeSeconds(what: string, given: unknown): number {
  const seconds = wholePart(given, what);
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new MeridianError('INVALID_ARGUMENT', `${what} must be seconds, 1 or more; it is ${String(given)}`, {
    reason: 'bad-expiry',
    limit: 1,
    seen: seconds,
  });
}

function toMetadata({ metadata, metadataText }: PutContent): string | undefined {
  if (metadataText !== undefined) {
    if (metadata === undefined) return textOf(metadataText, 'metadata');
    throw new MeridianError('INVALID_ARGUMENT', 'metadata and metadataText exclude each other', {
      reason: 'bad-metadata',
    });
  }
  if (metadata === undefined || metadata === null) return undefined;
  const text: unknown = JSON.stringify(metadata);
  if (typeof text === 'string') return text === 'null' ? undefined : text;
  throw new MeridianError('INVALID_ARGUMENT', `metadata must be JSON, which a ${typeof metadata} is not`, {
    reason: 'metadata-not-json',
  });
}
