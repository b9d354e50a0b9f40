import type { ServerResponse } from 'node:http';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import { releaseOnceClosed, tooManyValues } from './send-record.ts';
import { sendValue } from './send-value.ts';

export interface TextAnswer {
  readonly response: ServerResponse;
  /** Whose share of the room it takes: the connection. */
  readonly caller: object;
  readonly signal: AbortSignal;
  readonly room: AnswerRoom;
  /** As the request names it. */
  readonly namespace: string;
  /** Values that `read` reads at once. */
  readonly valuesAtOnce: number;
  /** May be called twice. */
  readonly read: () => Promise<string>;
}

/** No key begins with it: what all texts of a namespace's values are remembered under. */
const textKey = '\0text';

/** Sends a JSON text of values where there is room for it, as records are sent. */
export async function sendText(answer: TextAnswer): Promise<void> {
  const { response, caller, signal, room, namespace, valuesAtOnce, read } = answer;
  const expectedBytesMin = valuesAtOnce * room.expected(namespace);
  const asked = { caller, namespace, key: textKey, call: answer, expectedBytesMin };
  const held = await room.hold(
    asked,
    async () => Buffer.from(await read()),
    ({ byteLength }) => byteLength,
  );
  if (held === undefined) throw tooManyValues();
  releaseOnceClosed(response, held.release);
  response.setHeader('content-type', 'application/json');
  await sendValue(response, held.answer, signal);
}
