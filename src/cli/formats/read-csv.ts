import { Readable } from 'node:stream';
import type { Options } from 'csv-parse';
import { UsageError } from '../usage-error.ts';
import { type ImportRecord, recordOfObject, seconds } from './import-record.ts';
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

/**
 * The records of a CSV file (RFC 4180). Columns named `metadata` (JSON), `expiration`, `expiration_ttl` and `base64`
 * mean what they do in the bulk form, unless they are the value.
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
    max_record_size: 160 * 1024 * 1024,
  };
  const source = Readable.from(chunks, { objectMode: false });
  const rows = source.pipe(parse(options));
  source.on('error', (error) => rows.destroy(error));
  let number = 0;
  try {
    for await (const row of rows as AsyncIterable<Row>) {
      number++;
      if (number === 1) checkColumns(row, columns);
      yield orUnread(() => recordOfRow(row, columns, `row ${number}`), JSON.stringify(row), unread);
    }
  } catch (error) {
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
  const { metadata, expiration, expiration_ttl, base64 } = row;
  return recordOfObject(
    {
      key,
      value,
      base64: base64 === 'true' || base64 === '1',
      expiration: seconds(expiration, 'expiration', place),
      expiration_ttl: seconds(expiration_ttl, 'expiration_ttl', place),
      metadata: metadata === undefined || metadata === '' ? undefined : parseMetadata(metadata, place),
    },
    place,
  );
}

function parseMetadata(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${place}: "metadata" is no JSON`, error);
  }
}
