import { MeridianError } from './errors.ts';
import { checkKey } from './key.ts';
import type { NamespaceId } from './namespace.ts';

/** A list's cursor names the key after which to go on, so it stays valid while keys change, at any node. */
export function encodeListCursor(namespace: NamespaceId, prefix: string, after: string): string {
  return Buffer.from(JSON.stringify([1, namespace, prefix, after])).toString('base64url');
}

/** The key after which to go on. @throws INVALID_ARGUMENT if it is no cursor, or another list's */
export function decodeListCursor(cursor: string, namespace: NamespaceId, prefix: string): string {
  const bad = (cause?: unknown) =>
    new MeridianError('INVALID_ARGUMENT', 'the cursor is none of a list of this namespace and prefix', {
      reason: 'bad-cursor',
      cause,
    });
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(parts) || parts.length !== 4) throw bad();
    const [version, ofNamespace, ofPrefix, after] = parts as unknown[];
    if (version !== 1 || ofNamespace !== namespace || ofPrefix !== prefix || typeof after !== 'string') throw bad();
    checkKey(after);
    return after;
  } catch (cause) {
    throw bad(cause);
  }
}
