import type { BatchMutation } from '../../client/batch-write.ts';
import { exactJson, losesDigits, partsOf } from '../../model/json-text.ts';
import { checkText } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';

/** One record of a file, in any of the formats. */
export interface ImportRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** JSON. */
  readonly metadataText?: string;
  /** Seconds since 1970. */
  readonly expiration?: number;
  /** Seconds from the moment of writing; wins over `expiration`. */
  readonly expirationTtl?: number;
  /** The key is deleted, and its value means nothing. */
  readonly isDeletion?: true;
}

/** Seconds since 1970 where they are known before it is written: a time to live wins over them. */
export function expirationOf({ expiration, expirationTtl }: ImportRecord): number | undefined {
  return expirationTtl === undefined ? expiration : undefined;
}

export function toMutation({ isDeletion, ...record }: ImportRecord): BatchMutation {
  return isDeletion ? { kind: 'delete', key: record.key } : { kind: 'put', ...record };
}

/**
 * A record of an object in the bulk form of Workers KV (`key`, `value`, `base64`, `expiration`, `expiration_ttl`,
 * `metadata`), which our NDJSON shares. `name` stands for `key` as well, as `list --json` and wrangler print it.
 * A value that is no string is taken as its JSON text, numbers with all their digits. A field that is null is left out.
 * @throws UsageError naming the place, for fields of other types and text that has no UTF-8
 */
export function recordOfJson(text: string, place: string): ImportRecord {
  return recordOfFields(jsonFields(text, place), place);
}

/** An object of the file. */
export interface JsonFields {
  readonly fields: Readonly<Record<string, unknown>>;
  /** The JSON text of a field, numbers with all their digits. */
  readonly jsonOf: (name: string) => string;
}

/** @throws UsageError where the text is no object */
export function jsonFields(text: string, place: string): JsonFields {
  const fields = parseObject(text, place);
  return { fields, jsonOf: jsonTexts(fields, text) };
}

/** A record of an object in the bulk form, whose text was read. @throws UsageError as `recordOfJson` does */
export function recordOfFields({ fields, jsonOf }: JsonFields, place: string): ImportRecord {
  const key = textField((fields['key'] ?? null) === null ? 'name' : 'key', fields, place);
  const base64 = fields['base64'] ?? false;
  if (typeof base64 !== 'boolean') {
    throw new UsageError(`${place}: "base64" must be true or false; it is ${JSON.stringify(base64)}`);
  }
  const expiration = secondsField('expiration', fields, place);
  const expirationTtl = secondsField('expiration_ttl', fields, place);
  const metadata = fields['metadata'] ?? null;
  if (fields['value'] === undefined && fields['deleted'] === true) {
    throw new UsageError(
      `${place} is a deletion, as an origin keeps them apart: --format kept-apart reads such a file`,
    );
  }
  return {
    key,
    value: valueIn(fields['value'], base64, place, () => jsonOf('value')),
    ...(metadata === null ? {} : { metadataText: jsonOf('metadata') }),
    ...(expiration === undefined ? {} : { expiration }),
    ...(expirationTtl === undefined ? {} : { expirationTtl }),
  };
}

function kindOf(value: unknown): string {
  return typeof value === 'object' ? 'an object or array' : `a ${typeof value}`;
}

function parseObject(text: string, place: string): Readonly<Record<string, unknown>> {
  const content = parseJson(text, place);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${place} is no object`);
  }
  return content as Readonly<Record<string, unknown>>;
}

/** @throws UsageError */
export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${place} is no JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** The JSON text of a field. Most records need none, so the object's text is looked at when the first one is asked for. */
function jsonTexts(fields: Readonly<Record<string, unknown>>, text: string): (name: string) => string {
  let texts: ((name: string) => string) | undefined;
  return (name) => {
    texts ??= exactTexts(fields, text);
    return texts(name);
  };
}

/** Where JavaScript's numbers would lose digits, a field is taken from the object's own text. */
function exactTexts(fields: Readonly<Record<string, unknown>>, text: string): (name: string) => string {
  if (!losesDigits(text)) return (name) => JSON.stringify(fields[name]);
  const texts = new Map(partsOf(text).map((part) => [part.name, part.text]));
  return (name) => exactJson(texts.get(name) ?? 'null');
}

function textField(name: string, fields: Readonly<Record<string, unknown>>, place: string): string {
  const value = fields[name] ?? undefined;
  if (value === undefined) throw new UsageError(`${place} has no "key"`);
  if (typeof value !== 'string') throw new UsageError(`${place}: "${name}" must be a string, not ${kindOf(value)}`);
  return checkedText(value, name, place);
}

/** The text where it has UTF-8: JSON may escape half of a pair. @throws UsageError */
export function checkedText(text: string, name: string, place: string): string {
  try {
    checkText(text, `"${name}"`);
  } catch (error) {
    throw new UsageError(`${place}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  return text;
}

function valueIn(value: unknown, base64: boolean, place: string, json: () => string): Uint8Array {
  if (value === undefined) throw new UsageError(`${place} has no "value"`);
  if (typeof value !== 'string') {
    if (base64) throw new UsageError(`${place}: "value" is said to be base64 and is ${kindOf(value)}`);
    return Buffer.from(json());
  }
  return base64 ? bytesOfBase64(value, place) : Buffer.from(checkedText(value, 'value', place));
}

/** Node passes over what is no base64, and would make another value of it. */
export function bytesOfBase64(text: string, place: string): Uint8Array {
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 !== 1;
  if (!isBase64) throw new UsageError(`${place}: "value" is said to be base64 and is not`);
  return Buffer.from(text, 'base64');
}

function secondsField(name: string, fields: Readonly<Record<string, unknown>>, place: string): number | undefined {
  const value = fields[name] ?? undefined;
  return value === undefined ? undefined : checkedSeconds(value, name, place);
}

/** @throws UsageError for anything but a whole number, 1 or more */
export function checkedSeconds(value: unknown, field: string, place: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`${place}: "${field}" must be whole seconds; it is ${JSON.stringify(value)}`);
}
