import type { ServerResponse } from 'node:http';
import { MeridianError } from '../../model/errors.ts';
import type { LiveRecord } from '../../model/record.ts';
import { ByteBudget } from './byte-budget.ts';
import { sendValue } from './send-value.ts';

/** Bytes of all large values on their way to clients of one surface; a smaller one goes to the socket at once. */
const bounds = { largeBytesMin: 256 * 1024, underWayBytesMax: 256 * 1024 * 1024, waitingMax: 256 } as const;

export interface RecordAnswer {
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Of all values that are on their way to clients. */
  readonly budget: ByteBudget;
  /** Throws where the record is absent. May be called twice. */
  readonly read: () => Promise<LiveRecord>;
  /** Sets the headers for what is sent. */
  readonly head: (record: LiveRecord) => void;
}

export function valuesUnderWay(): ByteBudget {
  return new ByteBudget(bounds.underWayBytesMax, bounds.waitingMax);
}

/**
 * Reads a record and sends its value. Large values under way are bounded in sum: one that finds no room is let go,
 * waits for it and is read again, so that those who wait, or read slowly, do not fill the memory.
 */
export async function sendRecord(answer: RecordAnswer): Promise<void> {
  const { budget, signal } = answer;
  const wanted = await sendIfRoom(answer);
  if (wanted === undefined) return;
  if (!(await budget.take(wanted, signal))) {
    throw new MeridianError('RESOURCE_EXHAUSTED', 'too many large values under way', {
      reason: 'values-under-way',
      retryAfterMs: 1000,
    });
  }
  try {
    await send(answer, await answer.read());
  } finally {
    budget.give(wanted);
  }
}

/** Undefined once it is sent; its bytes where there is no room for it. */
async function sendIfRoom(answer: RecordAnswer): Promise<number | undefined> {
  const record = await answer.read();
  const bytes = record.value.byteLength;
  if (bytes < bounds.largeBytesMin) {
    await send(answer, record);
    return undefined;
  }
  if (!answer.budget.tryTake(bytes)) return bytes;
  try {
    await send(answer, record);
  } finally {
    answer.budget.give(bytes);
  }
  return undefined;
}

function send({ response, signal, head }: RecordAnswer, record: LiveRecord): Promise<void> {
  head(record);
  return sendValue(response, record.value, signal);
}
