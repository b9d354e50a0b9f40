import type { ServerResponse } from 'node:http';
import { MeridianError } from '../../model/errors.ts';
import type { LiveRecord } from '../../model/record.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import type { HttpCall } from '../exchange.ts';
import { sendValue } from './send-value.ts';

export interface RecordAnswer {
  readonly response: ServerResponse;
  /** Whose share of the room it takes: the connection. */
  readonly caller: object;
  readonly call: Pick<HttpCall, 'signal' | 'moved'>;
  readonly room: AnswerRoom;
  /** Namespace, as the request names it, and key. */
  readonly name: readonly [string, string];
  /** Throws where the record is absent. May be called twice. */
  readonly read: () => Promise<LiveRecord>;
  /** What stands before the value: names and values in turn, as Node takes them. */
  readonly headers: (record: LiveRecord) => readonly string[];
}

/** Reads a record where there is room for it, and sends its value. It keeps its room until the client has it. */
export async function sendRecord(answer: RecordAnswer): Promise<void> {
  const { response, caller, call, room, read } = answer;
  const [namespace, key] = answer.name;
  const asked = { caller, namespace, key, call };
  const held = await room.hold(asked, read, ({ value }) => value.byteLength);
  if (held === undefined) throw tooManyValues();
  releaseOnceClosed(response, held.release);
  const headers = answer.headers(held.answer);
  for (let n = 0; n < headers.length; n += 2) response.setHeader(headers[n] ?? '', headers[n + 1] ?? '');
  await sendValue(response, held.answer.value, call);
}

/** Sends a record that is in memory, at once and without a promise. False where it is so large that it must find room. */
export function sendSmall(
  { response, room, headers }: Pick<RecordAnswer, 'response' | 'room' | 'headers'>,
  record: LiveRecord,
): boolean {
  const { value } = record;
  if (value.byteLength >= room.largeBytesMin) return false;
  response.writeHead(200, [...headers(record), 'content-length', String(value.byteLength)]);
  response.end(value);
  return true;
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
