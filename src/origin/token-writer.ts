import { hashOfToken, newToken } from '../access/token-text.ts';
import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Durability as Level } from '../model/key-value.ts';
import { registryNamespace } from '../model/namespace.ts';
import { nowhere } from '../model/position.ts';
import { bottomStamp } from '../model/stamp.ts';
import {
  type CreateTokenRequest,
  checkTokenRequest,
  type IssuedToken,
  type RotateTokenRequest,
  type StoredToken,
  type TokenInfo,
  type Tokens,
  tokenLimits,
} from '../model/token.ts';
import type { CommitView } from '../replication/ledger.ts';
import type { Registry } from '../replication/registry.ts';
import { encodeToken, tokenKey } from '../replication/tokens.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { Durability } from './durability.ts';
import type { Draft, Writer } from './writer.ts';

export interface TokenWriterOptions {
  readonly registry: Registry;
  readonly writer: Writer;
  readonly durability: Durability;
  /** The cluster's own level, which every change of the registry is to reach. */
  readonly level: Level;
  readonly random: Random;
  readonly clock: Clock;
  /** Throws if this origin takes no writes. */
  readonly check: () => void;
}

/**
 * Issues and revokes tokens, as records of the registry. Any origin does, even one that is cut off from the others: a
 * revocation must not wait for a network. So a token's record is written once, and changed only to end earlier. If a
 * revocation here meets a rotation elsewhere, the worst that the merge can leave is the old token for its grace, and
 * the new one, which the list shows.
 */
export class TokenWriter implements Tokens {
  readonly #options: TokenWriterOptions;

  constructor(options: TokenWriterOptions) {
    this.#options = options;
  }

  async createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken> {
    const { registry, clock, check } = this.#options;
    check();
    checkTokenRequest(request);
    const { lifeMs, name, ...scope } = request;
    const createdMs = clock.wallMs();
    const lives = lifeMs === undefined ? {} : { expiresMs: createdMs + lifeMs };
    return this.#issue({ ...scope, name, createdMs, ...lives }, [], call, () => {
      const all = registry.tokens.all();
      if (all.some((token) => token.name === name && !hasExpired(token, createdMs))) throw nameTaken(name);
      if (all.length >= tokenLimits.tokensMax) throw tooManyTokens();
    });
  }

  async tokens(): Promise<readonly TokenInfo[]> {
    this.#options.check();
    return this.#options.registry.tokens.all().map(infoOf);
  }

  /** Of several with that name the newest is rotated: the others are of earlier rotations. */
  async rotateToken({ name, graceMs }: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    this.#options.check();
    if (!(graceMs >= 0 && graceMs <= tokenLimits.lifeMsMax)) {
      const message = `a rotated token goes on to work for 0 to ${tokenLimits.lifeMsMax} ms, not ${graceMs}`;
      throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-token-grace' });
    }
    const old = this.#named(name).at(-1);
    if (old === undefined) throw unknownToken(name);
    const createdMs = this.#options.clock.wallMs();
    const { id: _, hash: __, expiresMs, createdMs: since, ...kept } = old;
    const lives = expiresMs === undefined ? {} : { expiresMs: createdMs + (expiresMs - since) };
    const endsMs = Math.min(createdMs + graceMs, expiresMs ?? Number.POSITIVE_INFINITY);
    const end = graceMs === 0 ? removed(old.id) : stored({ ...old, expiresMs: endsMs });
    return this.#issue({ ...kept, createdMs, ...lives }, [end], call, (view) => {
      // The token may have been revoked meanwhile: to write it again would bring it back.
      const held = view.head({ namespace: registryNamespace, key: tokenKey(old.id) });
      if (held?.kind !== 'live') throw unknownToken(name);
    });
  }

  async revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    this.#options.check();
    const revoked = this.#named(name);
    if (revoked.length === 0) throw unknownToken(name);
    await this.#commit(
      revoked.map(({ id }) => removed(id)),
      call,
      () => {},
    );
    return revoked.map(infoOf);
  }

  #named(name: string): readonly StoredToken[] {
    return this.#options.registry.tokens.all().filter((token) => token.id === name || token.name === name);
  }

  async #issue(
    token: Omit<StoredToken, 'id' | 'hash'>,
    others: readonly Draft[],
    call: Call,
    check: (view: CommitView) => void,
  ): Promise<IssuedToken> {
    const { id, text } = newToken(this.#options.random);
    const whole: StoredToken = { ...token, id, hash: hashOfToken(text) };
    await this.#commit([stored(whole), ...others], call, check);
    return { info: infoOf(whole), text };
  }

  /** Synced here and, if there is time, on as many origins' disks as the cluster wants. */
  async #commit(drafts: readonly Draft[], call: Call, check: (view: CommitView) => void): Promise<void> {
    const { writer, durability, level } = this.#options;
    const written = await writer.commit(drafts, bottomStamp, check);
    await durability.reach(written.at(-1)?.position ?? nowhere, level, { timeoutMs: undefined, ...call });
  }
}

function hasExpired({ expiresMs }: TokenInfo, nowMs: number): boolean {
  return expiresMs !== undefined && expiresMs <= nowMs;
}

function infoOf({ hash: _, ...info }: StoredToken): TokenInfo {
  return info;
}

function stored(token: StoredToken): Draft {
  return {
    namespace: registryNamespace,
    mutation: { kind: 'put', key: tokenKey(token.id), value: encodeToken(token) },
  };
}

function removed(id: string): Draft {
  return { namespace: registryNamespace, mutation: { kind: 'delete', key: tokenKey(id) } };
}

function nameTaken(name: string): MeridianError {
  return new MeridianError('ALREADY_EXISTS', `a token named ${name} is valid already; rotate or revoke it`, {
    reason: 'token-name-taken',
  });
}

function unknownToken(name: string): MeridianError {
  return new MeridianError('NOT_FOUND', `no token has the name or id ${name}`, { reason: 'unknown-token' });
}

function tooManyTokens(): MeridianError {
  const message = `a cluster has at most ${tokenLimits.tokensMax} tokens; revoke those that have expired`;
  return new MeridianError('RESOURCE_EXHAUSTED', message, { reason: 'too-many-tokens', limit: tokenLimits.tokensMax });
}
