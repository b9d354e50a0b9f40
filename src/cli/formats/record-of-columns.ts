import { UsageError } from '../usage-error.ts';
import { checkedText, type ImportRecord, type JsonFields, jsonFields, recordOfFields } from './import-record.ts';

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
 * column it is `recordOfJson`.
 */
export function recordOfColumns(text: string, columns: ObjectColumns, place: string): ImportRecord {
  const { keyColumn, valueColumn } = columns;
  const object = jsonFields(text, place);
  if (keyColumn === undefined && valueColumn === undefined) return recordOfFields(object, place);
  const { fields } = object;
  if (valueColumn !== undefined && fields[valueColumn] === undefined) {
    throw new UsageError(`${place} has no "${valueColumn}": give another --value-column`);
  }
  if (keyColumn === undefined) {
    return recordOfFields(bulkForm(object, fields['key'] ?? fields['name'], columns), place);
  }
  const key = keyText(object, keyColumn, place);
  if (valueColumn !== undefined) return recordOfFields(bulkForm(object, key, columns), place);
  return { key, value: Buffer.from(withoutField(object, keyColumn)) };
}

/** What is key or value by its column is nothing else beside. */
function bulkForm(
  { fields, jsonOf }: JsonFields,
  key: unknown,
  { keyColumn, valueColumn = 'value' }: ObjectColumns,
): JsonFields {
  const isColumn = (name: string) => name === keyColumn || name === valueColumn;
  const others = Object.fromEntries(Object.entries(fields).filter(([name]) => !isColumn(name)));
  return {
    fields: { ...others, key, value: fields[valueColumn] },
    jsonOf: (name) => jsonOf(name === 'value' ? valueColumn : name),
  };
}

/** Ids are often numbers. Beyond 2⁵³ a number has lost digits already, and two keys would be one. */
function keyText({ fields, jsonOf }: JsonFields, column: string, place: string): string {
  const value = fields[column];
  if (typeof value === 'string') return checkedText(value, column, place);
  if (Number.isSafeInteger(value)) return String(value);
  if (value === undefined) throw new UsageError(`${place} has no "${column}": give another --key-column`);
  const why = 'must be a text or a whole number below 2^53 to be a key';
  throw new UsageError(`${place}: "${column}" ${why}; it is ${jsonOf(column)}`);
}

/** The JSON of an object but for that field. */
function withoutField({ fields, jsonOf }: JsonFields, left: string): string {
  const names = Object.keys(fields).filter((name) => name !== left);
  return `{${names.map((name) => `${JSON.stringify(name)}:${jsonOf(name)}`).join(',')}}`;
}
