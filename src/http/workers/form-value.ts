import { MIMEType } from 'node:util';
import { Refusal } from './refusal.ts';

const byteOrderMark = Buffer.from('\ufeff');
const blankLine = Buffer.from('\r\n\r\n');

/**
 * What a form may hold, beside its bytes: whoever reads one makes something of each part. A short body may have hundreds of
 * thousands of parts, or of lines in the head of one, and would keep the process for seconds. Metadata have at most 1024
 * bytes, of which no more leaves can be.
 */
const bounds = { parts: 1024, headBytes: 16 * 1024 } as const;

interface Part {
  /** Its headers, line by line. */
  readonly head: string;
  readonly bytes: Buffer;
}

/** @throws Refusal 413 with the limit, where the form has more parts, or longer heads of parts, than it may */
export function checkParts(body: Buffer, contentType: string): void {
  let parts = 0;
  for (const _part of partsOf(body, contentType)) {
    if (++parts > bounds.parts) throw new Refusal(413, `the form has more than ${bounds.parts} fields`, 10024);
  }
}

/**
 * The very bytes of the form's first field of this name: reading a field as text takes a byte order mark
 * away, and makes U+FFFD of what is no UTF-8 (RFC 7578: what a part holds is its bytes).
 */
export function fieldBytes(body: Buffer, contentType: string, name: string): Buffer | undefined {
  const wanted = new RegExp(`^content-disposition:[^\\r\\n]*;\\s*name="?${name}"?\\s*(?:;|$)`, 'im');
  for (const { head, bytes } of partsOf(body, contentType)) if (wanted.test(head)) return bytes;
  return undefined;
}

/** Whether the field begins with a byte order mark, which is part of it. */
export function beginsWithMark(field: Buffer | undefined): boolean {
  return field?.subarray(0, byteOrderMark.length).equals(byteOrderMark) === true;
}

/** The parts that are whole but for the end of the last one. @throws Refusal 413 where the head of one is too long */
function* partsOf(body: Buffer, contentType: string): Generator<Part, void> {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return;
  const delimiter = Buffer.from(`--${boundary}`);
  const next = Buffer.from(`\r\n--${boundary}`);
  for (let at = body.indexOf(delimiter); at >= 0; ) {
    const head = at + delimiter.length;
    if (body.toString('latin1', head, head + 2) === '--') return;
    const end = body.subarray(0, head + bounds.headBytes + blankLine.length).indexOf(blankLine, head);
    if (end < 0 && body.length - head <= bounds.headBytes) return;
    if (end < 0) throw new Refusal(413, `a field of the form has a head of more than ${bounds.headBytes} bytes`, 10024);
    const start = end + blankLine.length;
    const after = body.indexOf(next, start - 2);
    yield { head: body.toString('latin1', head, end), bytes: body.subarray(start, Math.max(start, after)) };
    at = after < 0 ? after : after + 2;
  }
}

/** As whoever reads the form finds it: the first of that name, wherever it stands. */
function boundaryOf(contentType: string): string | undefined {
  try {
    return new MIMEType(contentType).params.get('boundary') ?? undefined;
  } catch {
    return undefined;
  }
}
