const byteOrderMark = Buffer.from('\ufeff');
const blankLine = Buffer.from('\r\n\r\n');

/**
 * The very bytes of the form's first field of this name: reading a field as text takes a byte order mark
 * away, and makes U+FFFD of what is no UTF-8 (RFC 7578: what a part holds is its bytes).
 */
export function fieldBytes(body: Buffer, contentType: string, name: string): Buffer | undefined {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? [];
  const delimiter = Buffer.from(`--${quoted ?? plain ?? ''}`);
  const wanted = new RegExp(`^content-disposition:[^\\r\\n]*;\\s*name="?${name}"?\\s*(?:;|$)`, 'im');
  for (let at = body.indexOf(delimiter); at >= 0; ) {
    const head = at + delimiter.length;
    const end = body.indexOf(blankLine, head);
    if (end < 0) return undefined;
    const headers = body.toString('latin1', head, end);
    const start = end + blankLine.length;
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), start - 2);
    if (wanted.test(headers)) return body.subarray(start, Math.max(start, next));
    at = next >= 0 ? next + 2 : next;
  }
  return undefined;
}

/** Whether the field begins with a byte order mark, which is part of it. */
export function beginsWithMark(field: Buffer | undefined): boolean {
  return field?.subarray(0, byteOrderMark.length).equals(byteOrderMark) === true;
}
