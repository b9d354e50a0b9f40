import {
  type CreateTokenRequest,
  type IssuedToken,
  type Right,
  rights,
  type TokenInfo,
  type TokenLimits,
} from '../../model/token.ts';
import { malformed, optional } from './record-codec.ts';

interface WireLimits {
  readonly readsPerSecond?: number | null;
  readonly writesPerSecond?: number | null;
  readonly bytesPerSecond?: number | null;
  readonly streamsMax?: number | null;
  readonly connectionsMax?: number | null;
}

export interface WireToken {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly prefix: string;
  readonly rights: readonly string[];
  readonly createdMs: number;
  readonly expiresMs?: number | null;
  readonly limits: WireLimits | null;
}

export interface WireIssuedToken {
  readonly token: WireToken | null;
  readonly text: string;
}

export interface WireCreateToken extends Pick<WireToken, 'name' | 'namespace' | 'prefix' | 'rights' | 'limits'> {
  readonly lifeMs?: number | null;
}

export interface WireTokensPage {
  readonly tokens: readonly WireToken[];
  readonly cursor: string;
}

/** Tokens of one page: each has some kilobytes at the most. */
const pageTokensMax = 1000;

export function encodeToken({ limits, ...token }: TokenInfo): WireToken {
  return { ...token, limits: limits ?? null };
}

export function decodeToken(wire: WireToken | null): TokenInfo {
  if (wire === null) throw malformed('a token', 'none');
  const { id, name, namespace, prefix, createdMs } = wire;
  const expires = optional('expiresMs', wire.expiresMs);
  return {
    id,
    name,
    namespace,
    prefix,
    createdMs,
    rights: wire.rights as Right[],
    ...expires,
    ...limitsOf(wire.limits),
  };
}

export function encodeIssued({ info, text }: IssuedToken): WireIssuedToken {
  return { token: encodeToken(info), text };
}

export function decodeIssued({ token, text }: WireIssuedToken): IssuedToken {
  return { info: decodeToken(token), text };
}

export function encodeCreateToken({ limits, ...request }: CreateTokenRequest): WireCreateToken {
  return { ...request, limits: limits ?? null };
}

/** The values are checked where the token is made; an unknown right is refused here. */
export function decodeCreateToken({ name, namespace, prefix, ...wire }: WireCreateToken): CreateTokenRequest {
  const asked = wire.rights.map((text): Right => {
    const known = rights.find((right) => right === text);
    if (known === undefined) throw malformed(`a right (${rights.join(', ')})`, text);
    return known;
  });
  return { name, namespace, prefix, rights: asked, ...optional('lifeMs', wire.lifeMs), ...limitsOf(wire.limits) };
}

/** One page by name and id; the cursor names its last token. @throws INVALID_ARGUMENT if there is no such token */
export function tokensPage(all: readonly TokenInfo[], cursor: string): WireTokensPage {
  const from = cursor === '' ? 0 : all.findIndex(({ id }) => id === cursor) + 1;
  if (cursor !== '' && from === 0) throw malformed('a cursor of a list of tokens', cursor);
  const tokens = all.slice(from, from + pageTokensMax);
  const last = tokens.at(-1);
  const isLast = last === undefined || from + tokens.length === all.length;
  return { tokens: tokens.map(encodeToken), cursor: isLast ? '' : last.id };
}

function limitsOf(wire: WireLimits | null): { readonly limits?: TokenLimits } {
  if (wire === null) return {};
  const { readsPerSecond, writesPerSecond, bytesPerSecond, streamsMax, connectionsMax } = wire;
  return {
    limits: {
      ...optional('readsPerSecond', readsPerSecond),
      ...optional('writesPerSecond', writesPerSecond),
      ...optional('bytesPerSecond', bytesPerSecond),
      ...optional('streamsMax', streamsMax),
      ...optional('connectionsMax', connectionsMax),
    },
  };
}
