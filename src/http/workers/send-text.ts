import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnswerRoom, Asked } from '../../runtime/answer-room.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import type { HttpCall } from '../exchange.ts';
import { releaseOnceClosed, tooManyValues } from './send-record.ts';
import { sendValue } from './send-value.ts';

/** A request that is answered with a text. Its connection has a share of the room. */
interface Asking {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Pick<HttpCall, 'signal' | 'moved'>;
  readonly rooms: Pick<Rooms, 'answers'>;
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

/**
 * Sends a JSON text of values or keys where there is room for it, as records are sent.
 * @param read may be called twice
 */
export async function sendText(
  { request, response, call, rooms }: Asking,
  of: TextName,
  read: () => Promise<string>,
): Promise<void> {
  const asked = { caller: request.socket, ...of, call };
  const held = await rooms.answers.hold(
    asked,
    async () => Buffer.from(await read()),
    ({ byteLength }) => byteLength,
  );
  if (held === undefined) throw tooManyValues();
  releaseOnceClosed(response, held.release);
  response.setHeader('content-type', 'application/json');
  await sendValue(response, held.answer, call);
}
