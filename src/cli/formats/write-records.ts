import { unreachable } from '../../model/assert.ts';
import { type JsonValue, toJsonValue } from '../json-value.ts';
import type { FileFormat } from './file-format.ts';

/** One record on its way into a file. */
export interface ExportRecord {
  readonly name: string;
  readonly value: Uint8Array;
  readonly metadata: unknown;
  readonly expiration: number | null;
}

/** The texts of a file, piece by piece; `readObjects` and `readCsv` read them again. */
export async function* writeRecords(
  format: FileFormat,
  records: AsyncIterable<ExportRecord>,
): AsyncGenerator<string, void, undefined> {
  switch (format) {
    case 'ndjson':
      for await (const record of records) yield `${objectText(record)}\n`;
      return;
    case 'workers-kv':
      yield* jsonArray(records);
      return;
    case 'csv':
      yield 'key,value,base64,metadata,expiration\r\n';
      for await (const record of records) yield csvRow(record);
      return;
    default:
      unreachable(format);
  }
}

async function* jsonArray(records: AsyncIterable<ExportRecord>): AsyncGenerator<string, void, undefined> {
  let before = '[\n';
  for await (const record of records) {
    yield `${before}${objectText(record)}`;
    before = ',\n';
  }
  yield before === '[\n' ? '[]\n' : '\n]\n';
}

function objectText({ name, value, metadata, expiration }: ExportRecord): string {
  return JSON.stringify({
    key: name,
    ...toJsonValue(value),
    ...(expiration === null ? {} : { expiration }),
    ...(metadata === null ? {} : { metadata }),
  });
}

function csvRow({ name, value, metadata, expiration }: ExportRecord): string {
  const json: JsonValue = toJsonValue(value);
  const cells = [
    name,
    json.value,
    json.base64 === true ? 'true' : '',
    metadata === null ? '' : JSON.stringify(metadata),
    expiration === null ? '' : String(expiration),
  ];
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
