import { MeridianError } from '../../model/errors.ts';

/** What Redis answers with: a text, a number, bytes, nothing, or several; an Error where it refuses. */
export type RedisReply = string | number | Buffer | null | Error | RedisReply[];

export interface ParsedReply {
  readonly reply: RedisReply;
  /** Where the next one begins. */
  readonly end: number;
}

/** One reply of RESP2 that begins there; undefined where it has not come whole. @throws INTERNAL where it is none */
export function parseReply(bytes: Buffer, from: number): ParsedReply | undefined {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return undefined;
  const text = bytes.toString('utf8', from + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[from] ?? 0)) {
    case '+':
      return { reply: text, end };
    case '-':
      return { reply: new Error(text), end };
    case ':':
      return { reply: Number(text), end };
    case '$':
      return bulk(bytes, end, Number(text));
    case '*':
      return several(bytes, end, Number(text));
    default:
      throw new MeridianError('INTERNAL', 'this is no answer of Redis', { reason: 'redis-reply' });
  }
}

function bulk(bytes: Buffer, from: number, length: number): ParsedReply | undefined {
  if (length < 0) return { reply: null, end: from };
  const end = from + length + 2;
  return bytes.length < end ? undefined : { reply: Buffer.from(bytes.subarray(from, from + length)), end };
}

function several(bytes: Buffer, from: number, count: number): ParsedReply | undefined {
  if (count < 0) return { reply: null, end: from };
  const reply: RedisReply[] = [];
  let end = from;
  for (let left = count; left > 0; left--) {
    const parsed = parseReply(bytes, end);
    if (parsed === undefined) return undefined;
    reply.push(parsed.reply);
    end = parsed.end;
  }
  return { reply, end };
}
