import { timingSafeEqual } from 'node:crypto';
import type { Caller, CallerCertificate, CallerConnection, Entrance } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import type { CertificateRights } from '../model/token.ts';
import type { Peer, Upstream } from '../model/upstream.ts';
import type { Audit } from './audit.ts';
import { rightsOfCertificate } from './certificate-names.ts';
import { Failures, networkOf } from './failures.ts';
import { adminGrant, anonymous, certificateGrant, checkAge, type Grant, type TokenJudge, tokenGrant } from './grant.ts';
import { GrantWatch } from './grant-watch.ts';
import { Guarded, GuardedPeer } from './guarded.ts';
import { TokenConnections } from './token-connections.ts';
import { TokenRates } from './token-rates.ts';
import { hashOfToken, tokenIdOf } from './token-text.ts';

export interface GateOptions extends TokenJudge {
  readonly upstream: Upstream | Peer;
  /** The hash of the administrator's token, as the file has it now; unset = there is none at this node. */
  readonly adminHash: () => string | undefined;
  /** False = whoever comes may do everything, and is only told of. Default true. */
  readonly asksForTokens?: boolean;
  /** What names of certificates permit to whoever brings no token. Default: nothing. */
  readonly certificates?: readonly CertificateRights[];
  /** Who is told of what was done. Default: nobody. */
  readonly audit?: Audit | undefined;
}

/** Of no text that anybody knows. */
const hashOfNothing = '0'.repeat(64);

/**
 * The entrance of a node that asks for tokens. An unknown id, a wrong secret and a text of another form take the same
 * steps and are answered alike. Whoever proves who he is enters, however often others failed from his address.
 */
export class Gate implements Entrance {
  readonly #options: GateOptions;
  readonly #failures: Failures;
  readonly #watch: GrantWatch;
  readonly #rates: TokenRates;
  readonly #connections = new TokenConnections();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#failures = new Failures(options.clock);
    this.#watch = new GrantWatch(options.clock);
    this.#rates = new TokenRates(options.clock);
  }

  enter(caller: Caller): Upstream {
    return this.#guarded(caller);
  }

  async administer<T>(caller: Caller, action: 'node.drain' | 'node.stop', run: () => Promise<T>): Promise<T> {
    return this.#guarded(caller).administered(action, run);
  }

  #guarded(caller: Caller): Guarded {
    const { address, connection } = caller;
    const { upstream, source, audit, asksForTokens = true } = this.#options;
    const grant = asksForTokens ? this.#grantOf(caller) : anonymous;
    grant.scope();
    if (asksForTokens && connection !== undefined) this.#connections.use(connection, grant);
    const guard = { upstream, grant, source, watch: this.#watch, rates: this.#rates, audit, address };
    return 'report' in upstream ? new GuardedPeer({ ...guard, upstream }) : new Guarded(guard);
  }

  shareOf(connection: CallerConnection, address: string): object | string {
    if (this.#options.asksForTokens === false) return connection;
    return this.#connections.latestOn(connection) ?? `address ${networkOf(address)}`;
  }

  #grantOf({ authorization, address, certificate = () => undefined }: Caller): Grant {
    const { source, adminHash, certificates = [] } = this.#options;
    const presented = authorization === undefined && certificates.length > 0 ? certificate() : undefined;
    if (presented !== undefined) return this.#grantOfCertificate(presented);
    const text = bearerOf(authorization);
    if (text === undefined) {
      const message = 'this node asks for a token: authorization: Bearer TOKEN';
      throw new MeridianError('UNAUTHENTICATED', message, { reason: 'token-missing' });
    }
    const hash = hashOfToken(text);
    const id = tokenIdOf(text);
    const token = id === undefined ? undefined : source.token(id);
    // One comparison, whichever of the two it is.
    const isEqual = areEqual(hash, token === undefined ? adminHash() : token.hash);
    if (isEqual && token !== undefined) return tokenGrant(token, text, this.#options);
    if (isEqual) return adminGrant(text, () => adminHash() === hash);
    // It may be valid, and whoever brings it is not to be told that it is not.
    if (id !== undefined && !source.knowsTokens()) throw notYet();
    if (id !== undefined) checkAge(this.#options);
    throw this.#refused(address);
  }

  #grantOfCertificate(presented: CallerCertificate): Grant {
    const { certificates = [], clock } = this.#options;
    const rights = rightsOfCertificate(certificates, presented);
    if (rights !== undefined) return certificateGrant(rights, presented, clock);
    const message = `this node asks for a token, or for a certificate of a name it knows; yours is of ${presented.names.join(', ')}`;
    throw new MeridianError('UNAUTHENTICATED', message, { reason: 'certificate-not-known' });
  }

  #refused(address: string): MeridianError {
    const retryAfterMs = this.#failures.count(address);
    if (retryAfterMs === undefined) {
      return new MeridianError('UNAUTHENTICATED', 'the token is not valid', { reason: 'token-not-valid' });
    }
    const message = 'too many tokens from this address were not valid';
    return new MeridianError('RESOURCE_EXHAUSTED', message, { reason: 'too-many-failures', retryAfterMs });
  }
}

/** The text behind `Bearer`; undefined where there is none. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
}

/** Takes as long whatever the difference is. */
function areEqual(hash: string, kept: string | undefined): boolean {
  const other = kept?.length === hash.length ? kept : hashOfNothing;
  return timingSafeEqual(Buffer.from(hash), Buffer.from(other)) && other === kept;
}

function notYet(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'this node does not know the tokens of its cluster yet', {
    reason: 'tokens-unknown',
    retryAfterMs: 500,
  });
}
