const byteOrderMark = Buffer.from('\ufeff');
const blankLine = Buffer.from('\r\n\r\n');

/**
 * Whether the form's first field `value` begins with a byte order mark: reading a field as text takes that away, and it
 * is part of the value (RFC 7578: what a part holds is its bytes).
 */
export function valueBeginsWithMark(body: Buffer, contentType: string): boolean {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? [];
  const delimiter = Buffer.from(`--${quoted ?? plain ?? ''}`);
  for (let at = body.indexOf(delimiter); at >= 0; ) {
    const head = at + delimiter.length;
    const end = body.indexOf(blankLine, head);
    if (end < 0) return false;
    const headers = body.toString('latin1', head, end);
    const start = end + blankLine.length;
    if (/^content-disposition:[^\r\n]*;\s*name="?value"?\s*(?:;|$)/im.test(headers)) {
      return body.subarray(start, start + byteOrderMark.length).equals(byteOrderMark);
    }
    at = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), start - 2);
    if (at >= 0) at += 2;
  }
  return false;
}
