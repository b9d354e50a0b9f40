import { MeridianError } from './errors.ts';
import { limits } from './limits.ts';
import type { MemberId } from './position.ts';

declare const brand: unique symbol;

/** 128 random bits as 32 lower-case hex digits; never reused, so nothing comes back from the dead. */
export type NamespaceId = string & { readonly [brand]: 'namespace' };

/** The reserved namespace of titles, homes, policies and members. It sorts, and so travels, before every other. */
export const registryNamespace: NamespaceId = '0'.repeat(32) as NamespaceId;

const pattern = /^[0-9a-f]{32}$/;

/** The registry's key of what is known of a namespace; a tombstone there says that it was deleted. */
const namespacePrefix = 'namespace/';

export function namespaceKey(id: NamespaceId): string {
  return namespacePrefix + id;
}

/** The namespace that this key of the registry describes; undefined where it describes none. */
export function namespaceIdIn(key: string): NamespaceId | undefined {
  return key.startsWith(namespacePrefix) ? parseNamespaceId(key.slice(namespacePrefix.length)) : undefined;
}

export function parseNamespaceId(text: string): NamespaceId | undefined {
  return pattern.test(text) ? (text as NamespaceId) : undefined;
}

/** A namespace as its users see it. */
export interface NamespaceInfo {
  readonly id: NamespaceId;
  readonly title: string;
  /** The member at which conditional writes are decided. */
  readonly home: MemberId;
}

/** Throws INVALID_ARGUMENT unless the title is well-formed, 1 to 512 bytes, without control characters, and no id. */
export function checkTitle(title: string): void {
  const bytes = Buffer.byteLength(title);
  if (bytes === 0 || bytes > limits.titleBytesMax) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a namespace's title has 1 to ${limits.titleBytesMax} bytes of UTF-8; this one has ${bytes}`,
      { reason: 'bad-title', limit: limits.titleBytesMax, seen: bytes },
    );
  }
  if (!title.isWellFormed() || /\p{Cc}/u.test(title)) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a namespace's title must be well-formed text without control characters`,
      {
        reason: 'bad-title',
      },
    );
  }
  if (pattern.test(title)) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a namespace's title must not look like an id (32 hex digits): ${title}`,
      {
        reason: 'bad-title',
      },
    );
  }
}
