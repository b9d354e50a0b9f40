import { MeridianError } from '../model/errors.ts';
import { checkKey } from '../model/key.ts';
import type { Expiry, Mutation } from '../model/key-value.ts';
import { limits } from '../model/limits.ts';

/** Throws INVALID_ARGUMENT where a batch of mutations breaks a limit (architecture §2), naming it and the value seen. */
export function checkMutations(mutations: readonly Mutation[], nowMs: number): void {
  if (mutations.length === 0) throw invalid('empty-batch', 'a batch has at least one mutation');
  if (mutations.length > limits.batchMutationsMax) {
    throw tooMuch('batch-too-long', 'mutations of a batch', limits.batchMutationsMax, mutations.length);
  }
  let bytes = 0;
  for (const mutation of mutations) {
    checkKey(mutation.key);
    bytes += Buffer.byteLength(mutation.key);
    if (mutation.kind === 'put') bytes += checkPut(mutation, nowMs);
  }
  if (bytes > limits.batchBytesMax) throw tooMuch('batch-too-large', 'bytes of a batch', limits.batchBytesMax, bytes);
}

/** The second from which on the record is absent. A ttl is rounded up, so that nothing lives shorter than asked. */
export function expiresAtSeconds(expiry: Expiry | undefined, nowMs: number): number | undefined {
  if (expiry === undefined) return undefined;
  return expiry.kind === 'at' ? expiry.seconds : Math.ceil(nowMs / 1000) + expiry.seconds;
}

function checkPut(put: Extract<Mutation, { kind: 'put' }>, nowMs: number): number {
  const { value, metadata, expiry } = put;
  if (value.byteLength > limits.valueBytesMax) {
    throw tooMuch('value-too-large', 'bytes of a value', limits.valueBytesMax, value.byteLength);
  }
  if (expiry !== undefined) checkExpiry(expiry, nowMs);
  return value.byteLength + (metadata === undefined ? 0 : checkMetadata(metadata));
}

function checkMetadata(metadata: string): number {
  const bytes = Buffer.byteLength(metadata);
  if (bytes > limits.metadataBytesMax) {
    throw tooMuch('metadata-too-large', 'bytes of metadata as JSON', limits.metadataBytesMax, bytes);
  }
  try {
    JSON.parse(metadata);
  } catch (cause) {
    throw new MeridianError('INVALID_ARGUMENT', 'metadata must be JSON', { reason: 'metadata-not-json', cause });
  }
  return bytes;
}

function checkExpiry({ kind, seconds }: Expiry, nowMs: number): void {
  if (!Number.isSafeInteger(seconds)) throw invalid('bad-expiry', `an expiry is in whole seconds, not ${seconds}`);
  if (kind === 'in' && seconds < limits.ttlSecondsMin) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a ttl is at least ${limits.ttlSecondsMin} second; this one is ${seconds}`,
      { reason: 'ttl-too-short', limit: limits.ttlSecondsMin, seen: seconds },
    );
  }
  const nowSeconds = Math.ceil(nowMs / 1000);
  const at = kind === 'in' ? nowSeconds + seconds : seconds;
  if (kind === 'at' && at * 1000 <= nowMs) {
    throw new MeridianError('INVALID_ARGUMENT', `an expiry lies in the future; ${at} is past (now ${nowSeconds})`, {
      reason: 'expiry-past',
      limit: nowSeconds,
      seen: at,
    });
  }
  if (at > limits.expirySecondsMax) {
    throw tooMuch('expiry-too-late', 'seconds since 1970 of an expiry', limits.expirySecondsMax, at);
  }
}

function tooMuch(reason: string, what: string, limit: number, seen: number): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `${what}: at most ${limit}; seen: ${seen}`, { reason, limit, seen });
}

function invalid(reason: string, message: string): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', message, { reason });
}
