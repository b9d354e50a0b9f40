import type { Call } from './call.ts';
import { MeridianError } from './errors.ts';
import { limits } from './limits.ts';
import { checkText } from './text.ts';

/**
 * What a token may permit. `status` is what a node says of itself: metrics, status, members. `replicate` follows the
 * feed and reads for it. None implies another.
 */
export const rights = ['read', 'write', 'list', 'watch', 'replicate', 'admin', 'status'] as const;

export type Right = (typeof rights)[number];

/** What a caller may do, and where. */
export interface TokenScope {
  /** `*`, a title, the beginning of titles with a star behind it (`team-*`), or a namespace's id. */
  readonly namespace: string;
  /** The keys that start with it; the empty prefix means all of them. */
  readonly prefix: string;
  readonly rights: readonly Right[];
}

/** What a caller with a certificate of such a name may do. */
export interface CertificateRights {
  /** A name as it stands in the certificate, or with one star for any characters but dots and slashes. */
  readonly name: string;
  readonly scope: TokenScope;
}

/** The limits of one token at one node. Unset = as much as the node itself bears. */
export interface TokenLimits {
  readonly readsPerSecond?: number;
  readonly writesPerSecond?: number;
  /** Bytes of values, in either direction. */
  readonly bytesPerSecond?: number;
  /** Watches and feeds at once. */
  readonly streamsMax?: number;
  /** Connections on which it is used, to all listeners together. */
  readonly connectionsMax?: number;
}

export const tokenLimitNames = [
  'readsPerSecond',
  'writesPerSecond',
  'bytesPerSecond',
  'streamsMax',
  'connectionsMax',
] as const satisfies readonly (keyof TokenLimits)[];

/** A token as administrators see it: all but its secret. */
export interface TokenInfo extends TokenScope {
  /** 16 lower-case hex digits. */
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** Milliseconds since 1970; unset = never. */
  readonly expiresMs?: number;
  readonly limits?: TokenLimits;
}

/** A token as it is kept: the secret itself is nowhere. */
export interface StoredToken extends TokenInfo {
  /** SHA-256 of the token's whole text, in hex. */
  readonly hash: string;
}

export interface CreateTokenRequest extends TokenScope {
  readonly name: string;
  /** Milliseconds from now; unset = never. */
  readonly lifeMs?: number;
  readonly limits?: TokenLimits;
}

export interface RotateTokenRequest {
  /** Name or id. */
  readonly name: string;
  /** Milliseconds for which the old text goes on to work; 0 = not at all. */
  readonly graceMs: number;
}

/** A token's text is told this one time. */
export interface IssuedToken {
  readonly info: TokenInfo;
  readonly text: string;
}

/** The tokens of the cluster. Names are names or ids. All of it needs the right `admin` on everything. */
export interface Tokens {
  /** @throws ALREADY_EXISTS where a token of that name is valid; INVALID_ARGUMENT; RESOURCE_EXHAUSTED */
  createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken>;
  /** All tokens, expired ones too, by name. */
  tokens(call: Call): Promise<readonly TokenInfo[]>;
  /** Another text with the same name, scope and length of life. @throws NOT_FOUND */
  rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken>;
  /** Revokes every token of that name, or the one with that id. Resolves with what was revoked. @throws NOT_FOUND */
  revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]>;
}

export const tokenLimits = {
  /** UTF-8 bytes of a name; at least 1. */
  nameBytesMax: 128,
  /** Tokens of a cluster, expired ones included: every node keeps them in memory. */
  tokensMax: 10_000,
  /** Milliseconds: a hundred years, so that a mistaken unit is noticed. */
  lifeMsMax: 100 * 366 * 24 * 60 * 60 * 1000,
} as const;

const idPattern = /^[0-9a-f]{16}$/;

export function isTokenId(text: string): boolean {
  return idPattern.test(text);
}

/** @throws INVALID_ARGUMENT naming the limit and the value seen */
export function checkTokenRequest({ name, namespace, prefix, rights: asked, ...request }: CreateTokenRequest): void {
  checkName(name);
  checkPattern(namespace);
  checkText(prefix, "a token's prefix");
  const bytes = Buffer.byteLength(prefix);
  if (bytes > limits.keyBytesMax)
    throw bad('prefix', `a token's prefix has at most ${limits.keyBytesMax} bytes; this one has ${bytes}`);
  const unknown = asked.find((right) => !rights.includes(right));
  if (unknown !== undefined) throw bad('rights', `a token's rights are of ${rights.join(', ')}; ${unknown} is none`);
  if (asked.length === 0) throw bad('rights', `a token has at least one right of ${rights.join(', ')}`);
  const { lifeMs } = request;
  if (lifeMs !== undefined && !(lifeMs >= 1 && lifeMs <= tokenLimits.lifeMsMax)) {
    throw bad('expiry', `a token lives from 1 to ${tokenLimits.lifeMsMax} ms; this one ${lifeMs}`);
  }
  for (const [limit, value] of Object.entries(request.limits ?? {})) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw bad('limits', `${limit} is a whole number, 1 or more; it is ${value}`);
  }
}

/** Whether the pattern names this namespace, as it is called now. */
export function namesNamespace(pattern: string, namespace: { readonly id: string; readonly title: string }): boolean {
  return pattern === namespace.id || namesTitle(pattern, namespace.title);
}

/** Whether the pattern names whatever namespace has this title. No title looks like an id. */
export function namesTitle(pattern: string, title: string): boolean {
  return pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1)) : title === pattern;
}

function checkName(name: string): void {
  checkText(name, "a token's name");
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > tokenLimits.nameBytesMax) {
    throw bad('name', `a token's name has 1 to ${tokenLimits.nameBytesMax} bytes; this one has ${bytes}`);
  }
  if (/\p{Cc}/u.test(name)) throw bad('name', "a token's name has no control characters");
  if (isTokenId(name)) throw bad('name', `a token's name must not look like an id (16 hex digits): ${name}`);
}

function checkPattern(pattern: string): void {
  checkText(pattern, "a token's namespace");
  const bytes = Buffer.byteLength(pattern);
  if (bytes < 1 || bytes > limits.titleBytesMax) {
    throw bad('namespace', `a token's namespace has 1 to ${limits.titleBytesMax} bytes; this one has ${bytes}`);
  }
  if (pattern.slice(0, -1).includes('*')) {
    throw bad('namespace', `a token's namespace has a star at its end alone, such as team-*; this one is ${pattern}`);
  }
}

function bad(what: string, message: string): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', message, { reason: `bad-token-${what}` });
}
