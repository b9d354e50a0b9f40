const quote = 0x22;
const comma = 0x2c;

/**
 * How the quotes of a row of CSV stand: as RFC 4180 has it, or misplaced. Of a row with misplaced quotes it may be unclear
 * where it ends, since a quote may hold the line end behind it within a cell, or may not.
 *
 *     a,5" disk                sound but for a quote that no writer would have opened a cell with: the row ends with its line
 *     a,"he said "hi" to",b    quotes in pairs, and the last one stands before a comma: all readings end the row there
 *     a,"he said "hi"          the cell may go on in the next line, which must not be taken for a row of its own
 */
export type Quotes = 'sound' | 'misplaced' | 'unclear';

/** Of one row as a lenient reader found it, without its line end. */
export function quotesOf(row: Uint8Array): Quotes {
  if (!row.includes(quote)) return 'sound';
  let [isQuoted, isMisplaced] = [false, false];
  // Quotes that may open or close a cell. Behind one that follows blanks all may.
  let [count, areAllCounted] = [0, false];
  let cellAt = 0;
  for (let at = 0; at < row.length; at++) {
    const byte = row[at];
    if (isQuoted) {
      if (byte !== quote) continue;
      count++;
      if (row[at + 1] === quote) {
        count++;
        at++;
      } else if (endsCell(row[at + 1])) isQuoted = false;
      else isMisplaced = true;
    } else if (byte === comma) cellAt = at + 1;
    else if (isLineEnd(byte)) return 'unclear';
    else if (byte === quote) {
      isQuoted = at === cellAt;
      if (!isQuoted) isMisplaced = true;
      areAllCounted ||= !isQuoted && isBlank(row.subarray(cellAt, at));
      if (isQuoted || areAllCounted) count++;
    }
  }
  if (!isMisplaced) return 'sound';
  return isQuoted || count % 2 === 1 ? 'unclear' : 'misplaced';
}

function endsCell(byte: number | undefined): boolean {
  return byte === undefined || byte === comma || isLineEnd(byte);
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}
