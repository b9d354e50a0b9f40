import type { ServerResponse } from 'node:http';
import type { AnswerRoom, Asked } from '../../runtime/answer-room.ts';
import { releaseOnceClosed, tooManyValues } from './send-record.ts';
import { sendValue } from './send-value.ts';

export interface TextAnswer {
  readonly response: ServerResponse;
  /** Whose share of the room it takes: the connection. */
  readonly caller: object;
  readonly signal: AbortSignal;
  readonly room: AnswerRoom;
  readonly of: TextName;
  /** May be called twice. */
  readonly read: () => Promise<string>;
}

/** What a text is remembered under, as it will be as large again. */
type TextName = Pick<Asked, 'namespace' | 'key' | 'expectedBytesMin'>;

/** Of values of a namespace, as the request names it, so many of them at once. No key begins with the name. */
export function ofValues(room: AnswerRoom, namespace: string, valuesAtOnce: number): TextName {
  return { namespace, key: '\0text', expectedBytesMin: valuesAtOnce * room.expected(namespace) };
}

/** Of a namespace's lists, which say nothing of its values. No title begins with the name. */
export function ofLists(namespace: string): TextName {
  return { namespace: `\0texts of lists:${namespace}`, key: '' };
}

/** Sends a JSON text of values or keys where there is room for it, as records are sent. */
export async function sendText(answer: TextAnswer): Promise<void> {
  const { response, caller, signal, room, of, read } = answer;
  const asked = { caller, ...of, call: answer };
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
