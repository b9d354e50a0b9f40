import { Readable } from 'node:stream';
import { exactJson } from '../../model/json-text.ts';
import { UsageError } from '../usage-error.ts';
import { quotesOf } from './csv-quotes.ts';
import { bytesOfBase64, checkedSeconds, type ImportRecord, parseJson } from './import-record.ts';
import { orUnread, type UnreadRecord } from './unread-record.ts';
import { Utf8Gate } from './utf8-gate.ts';

export interface CsvColumns {
  /** Default: `key`. */
  readonly keyColumn?: string | undefined;
  /** Default: `value` where there is one, else the whole row as a JSON object. */
  readonly valueColumn?: string | undefined;
  /** Names of the columns of a file that has no heading. */
  readonly columns?: readonly string[] | undefined;
}

type Row = Readonly<Record<string, string>>;

interface ParsedRow {
  readonly record: Row;
  readonly info: {
    /** Of the file, up to the end of the row. */
    readonly bytes: number;
    /** Where the row has not as many cells as there are columns. */
    readonly error?: Error | undefined;
  };
}

/** Columns that mean something beside key and value. */
const recordColumns = ['metadata', 'expiration', 'expiration_ttl', 'base64'] as const;

/** Lines may end in different ways in one file: where the first end counted for all, the others became part of values. */
const lineEnds = ['\r\n', '\n', '\r'];

/** Bytes of one row: a value of 25 MiB in base64, or a JSON text with every quote doubled, with what stands around it. */
const rowBytesMax = 160 * 1024 * 1024;

/**
 * The records of a CSV file (RFC 4180) in UTF-8. Columns named `metadata` (JSON), `expiration`, `expiration_ttl` and
 * `base64` (true, 1, false, 0) mean what they do in the bulk form, unless they are the value; empty ones are left out.
 */
export async function* readCsv<Unread = never>(
  chunks: AsyncIterable<Uint8Array>,
  columns: CsvColumns,
  unread?: UnreadRecord<Unread>,
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const gate = new Utf8Gate();
  let number = 0;
  const place = () => `row ${number}`;
  const rows = parsedRows(chunks, { columns, gate, isRelaxed: unread !== undefined });
  try {
    for await (const { record, info } of rows) {
      number++;
      const why =
        (unread && misplacedQuote(gate.row(info.bytes), place())) ??
        gate.broken(info.bytes, place()) ??
        unevenRow(info, place());
      if (why === undefined) {
        yield orUnread(
          () => recordOfRow(record, columns, place()),
          () => JSON.stringify(record),
          unread,
        );
      } else if (unread === undefined) throw why;
      else yield unread(why, gate.row(info.bytes));
      gate.drop(info.bytes);
    }
  } catch (error) {
    number++;
    // Broken bytes may be what made it unsound.
    throw (error instanceof UnsoundCsv && gate.broken(Number.POSITIVE_INFINITY, place())) || error;
  }
}

class UnsoundCsv extends UsageError {}

interface Parsing {
  readonly columns: CsvColumns;
  readonly gate: Utf8Gate;
  /** A row with more or fewer cells than there are columns says so, and one with misplaced quotes is given: neither ends the file. */
  readonly isRelaxed: boolean;
}

/** @throws UsageError for a heading that is no UTF-8 or lacks a column; UnsoundCsv */
async function* parsedRows(
  chunks: AsyncIterable<Uint8Array>,
  { columns, gate, isRelaxed }: Parsing,
): AsyncGenerator<ParsedRow, void, undefined> {
  const { CsvError, parse } = await import('csv-parse');
  const headingOf = (names: string[]): string[] => {
    const why = gate.broken(parser.info.bytes, 'the heading');
    if (why !== undefined) throw why;
    const misplaced = misplacedQuote(gate.row(parser.info.bytes), 'the heading');
    if (misplaced !== undefined) throw misplaced;
    gate.drop(parser.info.bytes);
    checkColumns(names, columns);
    return names;
  };
  if (columns.columns !== undefined) checkColumns(columns.columns, columns);
  const parser = parse({
    bom: true,
    columns: columns.columns === undefined ? headingOf : [...columns.columns],
    record_delimiter: lineEnds,
    skip_empty_lines: true,
    info: true,
    max_record_size: rowBytesMax,
    relax_column_count: isRelaxed,
    relax_quotes: isRelaxed,
  });
  const source = Readable.from(gate.through(chunks), { objectMode: false });
  const rows = source.pipe(parser);
  source.on('error', (error) => rows.destroy(error));
  try {
    yield* rows as AsyncIterable<ParsedRow>;
  } catch (error) {
    throw error instanceof CsvError ? new UnsoundCsv(`this is no sound CSV: ${error.message}`, error) : error;
  } finally {
    source.destroy();
  }
}

function checkColumns(names: readonly string[], { keyColumn = 'key', valueColumn }: CsvColumns): void {
  if (!names.includes(keyColumn)) throw new UsageError(`there is no column "${keyColumn}": give --key-column`);
  if (valueColumn !== undefined && !names.includes(valueColumn)) {
    throw new UsageError(`there is no column "${valueColumn}": give another --value-column`);
  }
  checkOnce(names, keyColumn, valueColumn ?? 'value');
}

/** Of two columns of one name only the last one would be seen. Without a value column all of a row is the value. */
function checkOnce(names: readonly string[], keyColumn: string, valueColumn: string): void {
  const counts = names.includes(valueColumn) ? new Set([keyColumn, valueColumn, ...recordColumns]) : undefined;
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name) && (counts?.has(name) ?? true)) {
      throw new UsageError(`there are two columns ${JSON.stringify(name)}: which one is meant is not known`);
    }
    seen.add(name);
  }
}

function recordOfRow(row: Row, { keyColumn = 'key', valueColumn }: CsvColumns, place: string): ImportRecord {
  const key = row[keyColumn] ?? '';
  const value = row[valueColumn ?? 'value'];
  if (value === undefined) return { key, value: Buffer.from(JSON.stringify(row)) };
  const expiration = secondsIn(row['expiration'], 'expiration', place);
  const expirationTtl = secondsIn(row['expiration_ttl'], 'expiration_ttl', place);
  const metadata = metadataIn(row['metadata'], place);
  return {
    key,
    value: isBase64(row['base64'], place) ? bytesOfBase64(value, place) : Buffer.from(value),
    ...(metadata === undefined ? {} : { metadataText: metadata }),
    ...(expiration === undefined ? {} : { expiration }),
    ...(expirationTtl === undefined ? {} : { expirationTtl }),
  };
}

function secondsIn(cell: string | undefined, field: string, place: string): number | undefined {
  if (cell === undefined || cell === '') return undefined;
  return checkedSeconds(/^\d+$/.test(cell) ? Number(cell) : cell, field, place);
}

function isBase64(cell: string | undefined, place: string): boolean {
  switch (cell) {
    case 'true':
    case '1':
      return true;
    case undefined:
    case '':
    case 'false':
    case '0':
      return false;
    default:
      throw new UsageError(`${place}: "base64" must be true or false; it is ${JSON.stringify(cell)}`);
  }
}

function metadataIn(cell: string | undefined, place: string): string | undefined {
  if (cell === undefined || cell === '') return undefined;
  return parseJson(cell, `${place}: "metadata"`) === null ? undefined : exactJson(cell);
}

/**
 * Why this is no row. @throws UsageError where it is not even clear where it ends: then what comes behind it, which may be a
 * part of one of its cells, must not be read as rows
 */
function misplacedQuote(row: Uint8Array, place: string): UsageError | undefined {
  switch (quotesOf(row)) {
    case 'sound':
      return undefined;
    case 'misplaced':
      return new UsageError(`${place}: a quote stands within a cell, where it must be doubled`);
    case 'unclear':
      throw new UsageError(
        `${place} has a quote within a cell, and may end in several places: double the quote, as what follows cannot be told from it`,
      );
  }
}

function unevenRow({ error }: ParsedRow['info'], place: string): UsageError | undefined {
  return error && new UsageError(`${place} is no record: ${error.message}`, error);
}
