import type { ServerResponse } from 'node:http';
import { MeridianError } from '../../model/errors.ts';
import type { LiveRecord } from '../../model/record.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import { sendValue } from './send-value.ts';

export interface RecordAnswer {
  readonly response: ServerResponse;
  /** Whose share of the room it takes: the connection. */
  readonly caller: object;
  readonly signal: AbortSignal;
  readonly room: AnswerRoom;
  /** Namespace, as the request names it, and key. */
  readonly name: readonly [string, string];
  /** Throws where the record is absent. May be called twice. */
  readonly read: () => Promise<LiveRecord>;
  /** Sets the headers for what is sent. */
  readonly head: (record: LiveRecord) => void;
}

/** Reads a record where there is room for it, and sends its value. It keeps its room until the client has it. */
export async function sendRecord(answer: RecordAnswer): Promise<void> {
  const { response, caller, signal, room, read, head } = answer;
  const [namespace, key] = answer.name;
  const asked = { caller, namespace, key, call: answer };
  const held = await room.hold(asked, read, ({ value }) => value.byteLength);
  if (held === undefined) throw tooManyValues();
  releaseOnceClosed(response, held.release);
  head(held.answer);
  await sendValue(response, held.answer.value, signal);
}

/** Also where it is closed already. */
export function releaseOnceClosed(response: ServerResponse, release: () => void): void {
  if (response.closed || response.destroyed) release();
  else response.once('close', release);
}

/** Of those that wait for room there are as many as may. */
export function tooManyValues(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'too many large values under way', {
    reason: 'values-under-way',
    retryAfterMs: 1000,
  });
}
