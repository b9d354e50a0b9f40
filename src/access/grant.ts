import type { CallerCertificate } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import { type CertificateRights, rights, type StoredToken, type TokenLimits, type TokenScope } from '../model/token.ts';
import type { Clock } from '../runtime/clock.ts';

/** What a node's own registry knows, at once and without asking anybody. */
export interface TokenSource {
  /** False while this node cannot tell which tokens there are: it has not caught up yet. */
  knowsTokens(): boolean;
  /** Undefined = there is none, or it was revoked. */
  token(id: string): StoredToken | undefined;
  /** Of an edge: milliseconds for which what it knows may be behind at most; undefined = nothing is proven. */
  tokensAgeMs?(): number | undefined;
  /** What a title or id means here now. */
  namespace(name: string): NamespaceInfo | undefined;
}

/** Who a caller proved to be, for as long as that holds. */
export interface Grant {
  /** For the audit log. */
  readonly name: string;
  /** For messages: `the token app`. */
  readonly label: string;
  /** Whose limits are shared. */
  readonly id: string;
  /** What another node can check itself, where this one passes a request on. */
  readonly credential?: string;
  /** Who he is was proven to this node alone: it may ask nobody else in his name. */
  readonly isProvenHere?: true;
  readonly limits?: TokenLimits | undefined;
  /** What he may do now. @throws UNAUTHENTICATED once it was revoked or has expired */
  scope(): TokenScope;
}

const everything: TokenScope = { namespace: '*', prefix: '', rights };

/** Whoever comes, where no tokens are asked for. */
export const anonymous: Grant = { name: 'anonymous', label: 'whoever comes', id: 'anonymous', scope: () => everything };

/** The administrator of the node's own file: everything, until the file names another text. */
export function adminGrant(text: string, stillHolds: () => boolean): Grant {
  return {
    name: 'admin',
    label: "the administrator's token",
    id: 'admin',
    credential: text,
    scope: () => {
      if (!stillHolds()) throw ended('was replaced');
      return everything;
    },
  };
}

export interface TokenJudge {
  readonly source: TokenSource;
  readonly clock: Clock;
  /** Milliseconds that what is known of tokens may be old. Default: any. */
  readonly tokenAgeMsMax?: number | undefined;
}

/** @throws UNAVAILABLE (`tokens-too-old`) where the node has been cut off for too long to tell which tokens are valid */
export function checkAge({ source, tokenAgeMsMax }: Omit<TokenJudge, 'clock'>): void {
  if (tokenAgeMsMax === undefined || source.tokensAgeMs === undefined) return;
  const ageMs = source.tokensAgeMs();
  if (ageMs !== undefined && ageMs <= tokenAgeMsMax) return;
  const seen = ageMs === undefined ? 'nothing proves how old it is' : `it may be ${Math.round(ageMs)} ms old`;
  const message = `what this node knows of tokens may be ${tokenAgeMsMax} ms old at most, and ${seen}: it is cut off`;
  throw new MeridianError('UNAVAILABLE', message, {
    ...{ reason: 'tokens-too-old', limit: tokenAgeMsMax, retryAfterMs: 1000 },
    ...(ageMs === undefined ? {} : { seen: Math.round(ageMs) }),
  });
}

/** A token of the registry, as it stands there at each look. */
export function tokenGrant(token: StoredToken, text: string, judge: TokenJudge): Grant {
  const { source, clock } = judge;
  return {
    name: token.name,
    label: `the token ${token.name}`,
    id: token.id,
    credential: text,
    limits: token.limits,
    scope: () => {
      checkAge(judge);
      // While a resync takes the registry anew, what was known goes on.
      const known = source.knowsTokens() ? source.token(token.id) : token;
      if (known === undefined || known.hash !== token.hash) throw ended('was revoked');
      if (known.expiresMs !== undefined && known.expiresMs <= clock.wallMs()) throw ended('has expired');
      return known;
    },
  };
}

/** Whoever has a certificate of this name, for as long as that is valid: a connection may outlast it. */
export function certificateGrant(
  { name, scope }: CertificateRights,
  { validToMs }: CallerCertificate,
  clock: Pick<Clock, 'wallMs'>,
): Grant {
  return {
    name,
    label: `the certificate of ${name}`,
    id: `certificate:${name}`,
    isProvenHere: true,
    scope: () => {
      if (validToMs > clock.wallMs()) return scope;
      throw new MeridianError('UNAUTHENTICATED', 'the certificate has expired', { reason: 'token-ended' });
    },
  };
}

function ended(how: string): MeridianError {
  return new MeridianError('UNAUTHENTICATED', `the token ${how}`, { reason: 'token-ended' });
}
