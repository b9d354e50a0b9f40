import { type GetAnswer, valueBytesOf } from '../../model/key-value.ts';
import { encodeGetAnswer, type WireGetResponse } from '../codec/kv-codec.ts';

/** Gets of one batch under way at once. */
const atOnceMax = 8;
/** Bytes of one answer besides its value. */
const answerBytes = 4096;

export interface PackedAnswers {
  readonly answers: ReadonlyArray<{ readonly key: string; readonly answer: WireGetResponse }>;
  /** Keys to ask for again: those that did not fit, and those that were not read any more. */
  readonly omitted: readonly string[];
}

export interface PackOptions {
  /** Bytes of a message. */
  readonly bytesMax: number;
  /** Bytes of the key's value when it was last read. Default: unknown. */
  readonly known?: (key: string) => number | undefined;
}

/**
 * Reads keys until one message is full. The number read at once is bounded, and nothing more is read once as many bytes
 * came as a message holds: a hundred values of 25 MiB would be gigabytes to throw away. A value that was too large
 * lately is left out unread, except the first key's: so a caller that asks again for what was left out learns of one
 * more key each time.
 */
export async function packGets(
  keys: readonly string[],
  get: (key: string) => Promise<GetAnswer> | GetAnswer,
  { bytesMax, known = () => undefined }: PackOptions,
): Promise<PackedAnswers> {
  const answers: Array<{ key: string; answer: WireGetResponse }> = [];
  const omitted: string[] = [];
  let packedBytes = 0;
  let readBytes = 0;
  for (let at = 0; at < keys.length; at += atOnceMax) {
    const some: string[] = [];
    for (const key of keys.slice(at, at + atOnceMax)) {
      const isTooLarge = packedBytes + (known(key) ?? 0) > bytesMax && key !== keys[0];
      if (readBytes >= bytesMax || isTooLarge) omitted.push(key);
      else some.push(key);
    }
    const gets = await Promise.all(some.map(get));
    for (const [index, answer] of gets.entries()) {
      const key = some[index] ?? '';
      const bytes = answerBytes + valueBytesOf(answer);
      readBytes += bytes;
      if (packedBytes + bytes > bytesMax) omitted.push(key);
      else {
        packedBytes += bytes;
        answers.push({ key, answer: encodeGetAnswer(answer, { value: true }) });
      }
    }
  }
  return { answers, omitted };
}
