import { unreachable } from '../../model/assert.ts';
import { exactJson } from '../../model/json-text.ts';
import { recordJson } from '../../node/record-json.ts';
import { type JsonValue, toJsonValue } from '../json-value.ts';
import type { FileFormat } from './file-format.ts';

/** One record on its way into a file. */
export interface ExportRecord {
  readonly name: string;
  readonly value: Uint8Array;
  /** JSON; null = none. */
  readonly metadataText: string | null;
  readonly expiration: number | null;
}

const csvHeading = 'key,value,base64,metadata,expiration\r\n';

/** The text of one record, with what stands before it in the file. */
export function recordText(format: FileFormat, record: ExportRecord, isFirst: boolean): string {
  switch (format) {
    case 'ndjson':
      return `${objectText(record)}\n`;
    case 'workers-kv':
      return `${isFirst ? '[' : ','}\n${objectText(record)}`;
    case 'csv':
      return `${isFirst ? csvHeading : ''}${csvRow(record)}`;
    default:
      return unreachable(format);
  }
}

/** What ends a file of that many records. */
export function closingText(format: FileFormat, records: number): string {
  if (format === 'workers-kv') return records === 0 ? '[]\n' : '\n]\n';
  return format === 'csv' && records === 0 ? csvHeading : '';
}

function objectText({ name, value, metadataText, expiration }: ExportRecord): string {
  const fields = { key: name, ...toJsonValue(value), ...(expiration === null ? {} : { expiration }) };
  return recordJson(fields, metadataText ?? undefined);
}

function csvRow({ name, value, metadataText, expiration }: ExportRecord): string {
  const json: JsonValue = toJsonValue(value);
  const cells = [
    name,
    json.value,
    json.base64 === true ? 'true' : '',
    metadataText === null ? '' : exactJson(metadataText),
    expiration === null ? '' : String(expiration),
  ];
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
