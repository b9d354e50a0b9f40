import { exactJson } from '../model/json-text.ts';

/**
 * The JSON of a record on one line. Metadata, if there is any, stands behind the other fields, and is taken over as text, so that
 * its numbers keep their digits.
 */
export function recordJson(fields: object, metadata: string | undefined): string {
  const text = JSON.stringify(fields);
  if (metadata === undefined) return text;
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"metadata":${exactJson(metadata)}}`;
}
