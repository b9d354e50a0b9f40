import type { ServerResponse } from 'node:http';
import type { LiveRecord } from '../../model/record.ts';
import { type LargeValues, tooManyValues } from './large-values.ts';
import { sendValue } from './send-value.ts';

export interface RecordAnswer {
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Those that are on their way to clients. */
  readonly underWay: LargeValues;
  /** Namespace, as the request names it, and key. */
  readonly name: readonly [string, string];
  /** Throws where the record is absent. May be called twice. */
  readonly read: () => Promise<LiveRecord>;
  /** Sets the headers for what is sent. */
  readonly head: (record: LiveRecord) => void;
}

/**
 * Reads a record and sends its value. Large values under way are bounded in sum, so that those who wait, or read
 * slowly, do not fill the memory: one that was large before waits for room before it is read; one that turns out to be
 * large and finds no room is let go, waits, and is read again.
 */
export async function sendRecord(answer: RecordAnswer): Promise<void> {
  const { underWay, name, signal } = answer;
  const wanted = underWay.expected(name) ?? (await sendIfRoom(answer));
  if (wanted === undefined) return;
  if (!(await underWay.budget.take(wanted, signal))) throw tooManyValues();
  try {
    const record = await answer.read().catch((error: unknown) => {
      // It may be gone, and whoever asks for what is gone need not wait.
      underWay.note(name, 0);
      throw error;
    });
    underWay.note(name, record.value.byteLength);
    await send(answer, record);
  } finally {
    underWay.budget.give(wanted);
  }
}

/** Undefined once it is sent; its bytes where there is no room for it. */
async function sendIfRoom(answer: RecordAnswer): Promise<number | undefined> {
  const { underWay, name } = answer;
  const record = await answer.read();
  const bytes = record.value.byteLength;
  if (!underWay.note(name, bytes)) {
    await send(answer, record);
    return undefined;
  }
  if (!underWay.budget.tryTake(bytes)) return bytes;
  try {
    await send(answer, record);
  } finally {
    underWay.budget.give(bytes);
  }
  return undefined;
}

function send({ response, signal, head }: RecordAnswer, record: LiveRecord): Promise<void> {
  head(record);
  return sendValue(response, record.value, signal);
}
