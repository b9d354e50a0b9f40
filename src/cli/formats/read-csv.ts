import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import type { Options } from 'csv-parse';
import { exactJson } from '../../model/json-text.ts';
import { brokenByteAt, describeByte } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';
import { bytesOfBase64, checkedSeconds, type ImportRecord, parseJson } from './import-record.ts';
import { orUnread, type UnreadRecord } from './unread-record.ts';

export interface CsvColumns {
  /** Default: `key`. */
  readonly keyColumn?: string | undefined;
  /** Default: `value` where there is one, else the whole row as a JSON object. */
  readonly valueColumn?: string | undefined;
  /** Names of the columns of a file that has no heading. */
  readonly columns?: readonly string[] | undefined;
}

type Row = Readonly<Record<string, string>>;

/** Lets bytes through, and remembers where they are no UTF-8 for the first time: the parser would take them as U+FFFD. */
class Utf8Gate {
  #broken: { readonly offset: number; readonly byte: number | undefined } | undefined;

  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let seenBytes = 0;
    let rest: Uint8Array = new Uint8Array();
    for await (const chunk of chunks) {
      if (this.#broken === undefined) {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const at = isUtf8(bytes) ? bytes.length : (brokenByteAt(bytes) ?? bytes.length);
        rest = bytes.slice(at);
        if (!mayGoOn(rest)) this.#broken = { offset: seenBytes + at, byte: rest[0] };
        seenBytes += at;
      }
      yield chunk;
    }
    if (this.#broken === undefined && rest.length > 0) this.#broken = { offset: seenBytes, byte: rest[0] };
  }

  /** @throws UsageError where one of the file's first bytes, so many, is broken */
  checkUpTo(bytes: number, place: string): void {
    if (this.#broken === undefined || this.#broken.offset >= bytes) return;
    const { offset, byte } = this.#broken;
    throw new UsageError(`${place} is no UTF-8: ${describeByte(byte, offset)} of the file`);
  }
}

/** Whether these bytes may begin a character that the next chunk ends. */
function mayGoOn(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/**
 * The records of a CSV file (RFC 4180) in UTF-8. Columns named `metadata` (JSON), `expiration`, `expiration_ttl` and
 * `base64` (true, 1, false, 0) mean what they do in the bulk form, unless they are the value; empty ones are left out.
 */
export async function* readCsv<Unread = never>(
  chunks: AsyncIterable<Uint8Array>,
  columns: CsvColumns,
  unread?: UnreadRecord<Unread>,
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const { CsvError, parse } = await import('csv-parse');
  const options: Options = {
    bom: true,
    columns: columns.columns === undefined ? true : [...columns.columns],
    skip_empty_lines: true,
    info: true,
    max_record_size: 160 * 1024 * 1024,
  };
  const gate = new Utf8Gate();
  const source = Readable.from(gate.through(chunks), { objectMode: false });
  const rows = source.pipe(parse(options));
  source.on('error', (error) => rows.destroy(error));
  let number = 0;
  try {
    for await (const { record, info } of rows as AsyncIterable<{ record: Row; info: { bytes: number } }>) {
      number++;
      const place = `row ${number}`;
      gate.checkUpTo(info.bytes, place);
      if (number === 1) checkColumns(record, columns);
      yield orUnread(
        () => recordOfRow(record, columns, place),
        () => JSON.stringify(record),
        unread,
      );
    }
    gate.checkUpTo(Number.POSITIVE_INFINITY, `row ${number + 1}`);
  } catch (error) {
    if (error instanceof CsvError) gate.checkUpTo(Number.POSITIVE_INFINITY, `row ${number + 1}`);
    if (error instanceof CsvError) throw new UsageError(`this is no sound CSV: ${error.message}`, error);
    throw error;
  } finally {
    source.destroy();
  }
}

/** Each row has the columns of the first one. */
function checkColumns(row: Row, { keyColumn = 'key', valueColumn }: CsvColumns): void {
  if (row[keyColumn] === undefined) throw new UsageError(`there is no column "${keyColumn}": give --key-column`);
  if (valueColumn !== undefined && row[valueColumn] === undefined) {
    throw new UsageError(`there is no column "${valueColumn}": give another --value-column`);
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
