import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quotesOf } from '../../../src/cli/formats/csv-quotes.ts';
import { readCsv } from '../../../src/cli/formats/read-csv.ts';
import type { UsageError } from '../../../src/cli/usage-error.ts';

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Keys, and of what is passed over why and how it stands in the file. */
async function rowsOf(text: string, size: number): Promise<unknown[]> {
  const found: unknown[] = [];
  const unread = (why: UsageError, row: string | Uint8Array) => ({
    passed: [why.message, Buffer.from(row).toString()],
  });
  for await (const row of readCsv(chunksOf(text, size), {}, unread)) found.push('key' in row ? row.key : row.passed);
  return found;
}

describe('the quotes of a row', () => {
  test.each(['a,b', '"a","b"', 'a,"b ""quoted"" c"', 'a,""', '"a\nb","c\r\nd"', 'a,"x,y"', 'a,""""'])(
    'are sound in %j',
    (row) => {
      expect(quotesOf(Buffer.from(row))).toBe('sound');
    },
  );

  test('are sound in whatever a writer quotes as RFC 4180 has it', () => {
    const cell = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'x', ' ') });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
        const row = cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
        expect(quotesOf(Buffer.from(row))).toBe('sound');
      }),
    );
  });

  test.each([
    ['behind text of a cell without quotes', 'a,5" disk'],
    ['behind such text, before a cell of several lines', 'a,5" disk,"x\ny"'],
    ['within a cell that ends on its line, in pairs', 'a,"he said "hi" to",b'],
    ['behind blanks, in pairs', 'k, "a, b"'],
    ['behind a cell that is quoted, in pairs', 'a,"x"y"z"'],
  ])('are misplaced, and its end is clear, where they stand %s', (_, row) => {
    expect(quotesOf(Buffer.from(row))).toBe('misplaced');
  });

  test.each([
    ['one within a quoted cell', 'a,"5" disk"'],
    ['a cell whose quote closes early', 'a,"5" disk'],
    ['one that is not closed, up to the next one', 'a,"unclosed\nb,2\nc,"x"'],
    ['one behind blanks', 'a, "multi'],
    ['pairs of which a reader that goes on sees the row end before', 'a,"x" ","y\nz"'],
  ])('leave open where it ends: %s', (_, row) => {
    expect(quotesOf(Buffer.from(row))).toBe('unclear');
  });
});

describe.each([1, 2, 7, 64, 4096])('a CSV with misplaced quotes, in chunks of %i bytes', (size) => {
  test('has each such row passed over as it stands, and no other', async () => {
    const rows = 'key,value\r\na,1\r\nb,5" disk\r\n\r\nc,"say "hi" to\nher"\r\n"d","x\ny"\r\ne, "p, q"\r\nf,2';
    const found = await rowsOf(rows.replace('\nher', ' her'), size);
    const why = (row: number) => `row ${row}: a quote stands within a cell, where it must be doubled`;
    expect(found).toEqual([
      'a',
      [why(2), 'b,5" disk'],
      [why(3), 'c,"say "hi" to her"'],
      'd',
      [why(5), 'e, "p, q"'],
      'f',
    ]);
  });

  test('ends the reading where a row may end in two places: what follows could be taken for other rows', async () => {
    const whole = 'key,value\na,1\nb,"said "hi"\nfoo,bar\nand left"\nc,2\n';
    await expect(rowsOf(whole, size)).rejects.toThrow('row 2 has a quote within a cell, and may end in several places');
  });

  test('is refused where the heading has them', async () => {
    await expect(rowsOf('key,5" value\na,1\n', size)).rejects.toThrow('the heading: a quote stands within a cell');
  });

  test('may begin with a byte order mark', async () => {
    expect(await rowsOf('\ufeff"key","value"\n"a","b"\n', size)).toEqual(['a']);
  });
});
