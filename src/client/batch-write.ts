import { MeridianError } from '../model/errors.ts';
import type { Condition, Durability, Expiry, Mutation } from '../model/key-value.ts';
import { parseStamp } from '../model/stamp.ts';
import type { ConditionOptions, PutContent } from './call-options.ts';
import { encodeValue, type ValueBody } from './value-body.ts';

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

/** A user's mutation as the model's. */
export async function toMutation(mutation: BatchMutation): Promise<Mutation> {
  const condition = toCondition(mutation);
  const common = { key: String(mutation.key), ...(condition === undefined ? {} : { condition }) };
  if (mutation.kind === 'delete') return { kind: 'delete', ...common };
  const expiry = toExpiry(mutation);
  const metadata = toMetadata(mutation.metadata);
  return {
    kind: 'put',
    ...common,
    value: await encodeValue(mutation.value),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiry === undefined ? {} : { expiry }),
  };
}

function toCondition({ ifAbsent, ifVersion }: ConditionOptions): Condition | undefined {
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

/** The wire has no room for what is no whole number, so it is refused here. */
function wholeSeconds(what: string, seconds: number): number {
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `${what} must be a whole number of seconds, 1 or more; it is ${seconds}`,
    {
      reason: 'bad-expiry',
      limit: 1,
      seen: seconds,
    },
  );
}

function toMetadata(metadata: unknown): string | undefined {
  return metadata === undefined || metadata === null ? undefined : JSON.stringify(metadata);
}
