import { limits } from '../../model/limits.ts';
import { Refusal } from './refusal.ts';
import { textIn } from './text-in.ts';

/** Metadata's JSON text, checked. `null` is the same as none. @throws Refusal in the original's words */
export function checkMetadata(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.metadataBytesMax) {
    throw new Refusal(413, `Metadata length of ${bytes} exceeds limit of ${limits.metadataBytesMax}.`, 10024);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'Metadata must be valid JSON', 10147);
  }
  return parsed === null ? undefined : text;
}

/** The text in a header's raw UTF-8 bytes, which Node shows as Latin-1. @throws Refusal where they are none */
export function metadataFromHeader(header: string | string[] | undefined): string | undefined {
  const joined = Array.isArray(header) ? header[0] : header;
  return joined === undefined ? undefined : textIn(Buffer.from(joined, 'latin1'), 'the header CF-KV-Metadata');
}

/**
 * JSON text as a header's raw UTF-8 bytes, shown as Latin-1. Outside of strings JSON's control characters are white
 * space, inside there are none but DEL.
 */
export function metadataToHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in a header.
  const line = text.replace(/[\x00-\x1f]/g, ' ').replaceAll('\x7f', '\\u007f');
  return Buffer.from(line, 'utf8').toString('latin1');
}
