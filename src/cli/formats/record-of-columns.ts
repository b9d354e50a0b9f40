import { UsageError } from '../usage-error.ts';
import { type ImportRecord, recordOfObject } from './import-record.ts';

/** Which fields of ordinary objects are key and value. */
export interface ObjectColumns {
  /** Default: `key`, as in the bulk form. */
  readonly keyColumn?: string | undefined;
  /** Default: the object without its key, as JSON. */
  readonly valueColumn?: string | undefined;
}

/**
 * A record of an ordinary object: `{"id":7,"on":true}` by the key column `id` is the key `7` with the value
 * `{"on":true}`. Where the value is a field, the other fields of the bulk form mean what they do there. Without any
 * column it is `recordOfObject`.
 */
export function recordOfColumns(content: unknown, columns: ObjectColumns, place: string): ImportRecord {
  const { keyColumn, valueColumn } = columns;
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content);
  if (!isObject || (keyColumn === undefined && valueColumn === undefined)) return recordOfObject(content, place);
  const fields = content as Readonly<Record<string, unknown>>;
  if (valueColumn !== undefined && fields[valueColumn] === undefined) {
    throw new UsageError(`${place} has no "${valueColumn}": give another --value-column`);
  }
  if (keyColumn === undefined) return recordOfObject(bulkForm(fields, fields['key'] ?? fields['name'], columns), place);
  const key = keyText(fields[keyColumn], keyColumn, place);
  if (valueColumn !== undefined) return recordOfObject(bulkForm(fields, key, columns), place);
  const { [keyColumn]: _key, ...rest } = fields;
  return { key, value: Buffer.from(JSON.stringify(rest)) };
}

/** What is key or value by its column is nothing else beside. */
function bulkForm(
  fields: Readonly<Record<string, unknown>>,
  key: unknown,
  { keyColumn, valueColumn }: ObjectColumns,
): Readonly<Record<string, unknown>> {
  const isColumn = (name: string) => name === keyColumn || name === valueColumn;
  const others = Object.fromEntries(Object.entries(fields).filter(([name]) => !isColumn(name)));
  return { ...others, key, value: fields[valueColumn ?? 'value'] };
}

/** Ids are often numbers. Beyond 2⁵³ a number has lost digits already, and two keys would be one. */
function keyText(value: unknown, column: string, place: string): string {
  if (typeof value === 'string') return value;
  if (Number.isSafeInteger(value)) return String(value);
  if (value === undefined) throw new UsageError(`${place} has no "${column}": give another --key-column`);
  const seen = JSON.stringify(value);
  throw new UsageError(`${place}: "${column}" must be a text or a whole number below 2^53 to be a key; it is ${seen}`);
}
