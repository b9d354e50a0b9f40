import type { BatchMutation, BatchResult } from '../../client/batch-write.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import { expirationOf, type ImportRecord, toMutation } from '../formats/import-record.ts';
import type { UsageError } from '../usage-error.ts';
import { type Patience, patiently } from './patiently.ts';

/** A record of a file, by its number there; the first one is 1. */
export interface NumberedRecord {
  readonly number: number;
  readonly record: ImportRecord;
}

/** A record that is not written, and why: the cluster refused it, or it could not be read from its text. */
export type SkippedRecord =
  | { readonly number: number; readonly why: MeridianError; readonly record: ImportRecord }
  | { readonly number: number; readonly why: UsageError; readonly text: string | Uint8Array };

/** The same values written twice do no harm, so a batch whose outcome is unknown is written again. */
export interface BatchWriting extends Patience {
  readonly write: (mutations: readonly BatchMutation[], signal: AbortSignal) => Promise<BatchResult>;
  /** The record of that number was left out, for it had expired. Counted as done. */
  readonly leftOut: (number: number) => void;
  /** Takes a record that is passed over. Unset = the first one ends the import. */
  readonly skipped?: ((record: SkippedRecord) => Promise<void>) | undefined;
}

/**
 * Writes a batch, in its order. A batch is written whole or not at all, and its refusal does not say which record it
 * means; so a batch that is refused is written in halves, down to the record that is refused alone. The same value
 * written twice does no harm.
 * @throws what the write throws; for a refused record, where none may be skipped, with the record's number and key
 */
export async function writeBatch(
  records: readonly NumberedRecord[],
  writing: BatchWriting,
  signal: AbortSignal,
): Promise<void> {
  const refused = await writeOrRefused(records, writing, signal);
  if (refused === undefined) return;
  const { left, why } = refused;
  const [first] = left;
  if (left.length > 1) {
    const half = Math.ceil(left.length / 2);
    await writeBatch(left.slice(0, half), writing, signal);
    await writeBatch(left.slice(half), writing, signal);
  } else if (first !== undefined && writing.skipped !== undefined) await writing.skipped({ ...first, why });
  else throw first === undefined ? why : named(first, why);
}

interface Refused {
  /** What of the batch had not expired. */
  readonly left: readonly NumberedRecord[];
  readonly why: MeridianError;
}

/** What expired before it could be written would refuse its batch: a file is often older than what it holds. */
async function writeOrRefused(
  records: readonly NumberedRecord[],
  { leftOut, write, ...patience }: BatchWriting,
  signal: AbortSignal,
): Promise<Refused | undefined> {
  let left = records;
  const leaveOut = (throughSeconds: number): boolean => {
    const isPast = ({ record }: NumberedRecord) => (expirationOf(record) ?? Infinity) <= throughSeconds;
    const past = left.filter(isPast);
    for (const { number } of past) leftOut(number);
    if (past.length > 0) left = left.filter((record) => !isPast(record));
    return past.length > 0;
  };
  leaveOut(patience.clock.wallMs() / 1000);
  while (left.length > 0) {
    const mutations = left.map(({ record }) => toMutation(record));
    try {
      await patiently(() => write(mutations, signal), patience, signal);
      return undefined;
    } catch (error) {
      // The origin's clock decides.
      const hasExpired = isMeridianError(error) && error.details.reason === 'expiry-past';
      if (hasExpired && leaveOut(error.details.limit ?? 0)) continue;
      if (isMeridianError(error, 'INVALID_ARGUMENT')) return { left, why: error };
      throw error;
    }
  }
  return undefined;
}

/** Characters of a key that a message shows. */
const shownMax = 60;

function named({ number, record: { key } }: NumberedRecord, why: MeridianError): MeridianError {
  const shown = key.length > shownMax ? `${key.slice(0, shownMax)}…` : key;
  const message = `record ${number} (key ${JSON.stringify(shown)}): ${why.message}`;
  return new MeridianError(why.code, message, { ...why.details, cause: why });
}
