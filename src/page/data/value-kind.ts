import { compactJson, indentedJson } from '../../model/json-text.ts';

/** JSON that is nested deeper, or has more characters once it is formatted, is shown as it stands. */
const formattedMax = { depthMax: 100, charactersMax: 4 * 1024 * 1024 };

/** What a value looks like, told by its bytes alone: nobody is believed what he says that it is. */
export type ValueKind =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly type: string }
  | { readonly kind: 'bytes' };

/** The first bytes of images that a browser draws and never runs; -1 stands for any byte. */
const images: ReadonlyArray<readonly [string, readonly number[]]> = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/webp', [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x45, 0x42, 0x50]],
  ['image/avif', [-1, -1, -1, -1, 0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69, 0x66]],
];

export function kindOf(value: Uint8Array): ValueKind {
  const image = images.find(([, magic]) => magic.every((byte, at) => byte === -1 || value[at] === byte));
  if (image !== undefined) return { kind: 'image', type: image[0] };
  const text = textOf(value);
  if (text === undefined) return { kind: 'bytes' };
  return /^\s*[[{]/.test(text) && isJson(text) ? { kind: 'json', text } : { kind: 'text', text };
}

/** Undefined where the bytes are no UTF-8, or hold control characters that no text has. */
function textOf(value: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these make it no text.
    return /[\x00-\x08\x0e-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export type TextKind = Extract<ValueKind, { readonly text: string }>;

/** A text as people read it: JSON in lines where that is not too much, all else as it stands. */
export function shownText({ kind, text }: TextKind): string {
  return kind === 'json' ? (indentedJson(text, formattedMax) ?? text) : text;
}

/**
 * A text as a form can hold it, which knows line feeds alone. Undefined where the text ends its lines in more than one
 * way: a form would make them one.
 */
export function editableText(before: TextKind): string | undefined {
  const shown = shownText(before);
  const lines = shown.replaceAll('\r\n', '\n');
  const isMixed = lines.includes('\r') || (lines !== shown && /(^|[^\r])\n/.test(shown));
  return isMixed ? undefined : lines;
}

/** What was edited in the form of what was there before: the same bytes where nothing was changed. */
export function asWritten(edited: string, before: TextKind): string {
  if (edited === editableText(before)) return before.text;
  const wasOneLine = before.kind === 'json' && !/[\r\n]/.test(before.text.trim());
  if (wasOneLine && isJson(edited)) return compactJson(edited) + (/\s*$/.exec(before.text)?.[0] ?? '');
  return before.text.includes('\r\n') ? edited.replaceAll('\n', '\r\n') : edited;
}

/** The first bytes as a listing of hex and characters. */
export function hexOf(value: Uint8Array, bytesMax: number): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(value.length, bytesMax); at += 16) {
    const bytes = [...value.subarray(at, at + 16)];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const characters = bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${characters}`);
  }
  return lines.join('\n');
}

export async function base64Of(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  // In pieces, as the arguments of one call have a bound.
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
}
