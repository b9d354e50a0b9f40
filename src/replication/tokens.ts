import { registryNamespace } from '../model/namespace.ts';
import type { Position } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import type { Stamp } from '../model/stamp.ts';
import { isTokenId, type Right, rights, type StoredToken, type TokenLimits, tokenLimitNames } from '../model/token.ts';

const tokenPrefix = 'token/';

/** The registry's key of a token: its own record, so that it replicates like data, and a revocation like a deletion. */
export function tokenKey(id: string): string {
  return tokenPrefix + id;
}

/** What a node's registry says of one token id. */
export interface KnownToken {
  /** Unset = revoked, or in a form that this version does not understand. */
  readonly token: StoredToken | undefined;
  readonly stamp: Stamp;
  readonly position: Position;
}

/** The tokens of the cluster in memory, kept up from the registry's records. */
export class RegistryTokens {
  readonly #known = new Map<string, KnownToken>();

  /** Takes in a record of the registry, as the store now has it; true if it is a token's. */
  apply(record: Record): boolean {
    const id = tokenIdIn(record);
    if (id === undefined) return false;
    const { stamp, position } = record;
    const token = record.kind === 'live' ? decodeToken(id, record.value) : undefined;
    this.#known.set(id, { token, stamp, position });
    return true;
  }

  /** Forgets a record that was purged, or that a resync did not show. */
  forget(key: string): void {
    if (key.startsWith(tokenPrefix)) this.#known.delete(key.slice(tokenPrefix.length));
  }

  clear(): void {
    this.#known.clear();
  }

  get(id: string): KnownToken | undefined {
    return this.#known.get(id);
  }

  /** The tokens that are not revoked, by name; expired ones too. */
  all(): readonly StoredToken[] {
    const tokens = [...this.#known.values()].flatMap(({ token }) => (token === undefined ? [] : [token]));
    return tokens.sort((a, b) => (a.name === b.name ? a.createdMs - b.createdMs : a.name < b.name ? -1 : 1));
  }
}

export function encodeToken({ id: _, ...token }: StoredToken): Uint8Array {
  return Buffer.from(JSON.stringify(token));
}

function tokenIdIn({ namespace, key }: Pick<Record, 'namespace' | 'key'>): string | undefined {
  if (namespace !== registryNamespace || !key.startsWith(tokenPrefix)) return undefined;
  const id = key.slice(tokenPrefix.length);
  return isTokenId(id) ? id : undefined;
}

/** A right that a later version adds is ignored; a token that is not whole permits nothing. */
function decodeToken(id: string, value: Uint8Array): StoredToken | undefined {
  let stored: Partial<Readonly<{ [Field in keyof StoredToken]: unknown }>>;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString());
    stored = typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return undefined;
  }
  const { name, namespace, prefix, rights: given, createdMs, expiresMs, hash } = stored;
  const isWhole =
    [name, namespace, prefix, hash].every((text) => typeof text === 'string') &&
    Array.isArray(given) &&
    typeof createdMs === 'number' &&
    (expiresMs === undefined || typeof expiresMs === 'number');
  if (!isWhole) return undefined;
  const known = (given as unknown[]).filter((right): right is Right => rights.some((one) => one === right));
  const limits = stored.limits === undefined ? undefined : limitsIn(stored.limits);
  if (stored.limits !== undefined && limits === undefined) return undefined;
  const { limits: _, ...rest } = stored as StoredToken;
  return { ...rest, id, rights: known, ...(limits === undefined ? {} : { limits }) };
}

/** The limits that this version knows; undefined if one of them is not a valid limit. */
function limitsIn(stored: unknown): TokenLimits | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const given = Object.entries(stored).filter(([name]) => tokenLimitNames.some((known) => known === name));
  const isSound = given.every(([, value]) => Number.isSafeInteger(value) && value >= 1);
  return isSound ? Object.fromEntries(given) : undefined;
}
