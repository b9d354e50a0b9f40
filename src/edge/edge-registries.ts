import type { NamespaceInfo } from '../model/namespace.ts';
import type { StoredToken } from '../model/token.ts';
import type { KnownToken } from '../replication/tokens.ts';
import type { Scope } from './scope.ts';

type Known = Pick<Scope, 'ledger' | 'hasCaughtUp' | 'bound'>;

/**
 * What the registries of an edge's scopes say of tokens, at once and without asking anybody. Each scope follows by
 * itself, so one may have heard of a revocation before the other: the later record counts. While the scopes are opened
 * anew, what the earlier ones knew goes on.
 */
export class EdgeRegistries {
  #scopes: readonly Known[] = [];

  use(scopes: readonly Known[]): void {
    this.#scopes = scopes;
  }

  /** False while no scope has caught up: an edge that knows nothing must not say that a token is none. */
  knowsTokens(): boolean {
    return this.#caughtUp().length > 0;
  }

  /**
   * Milliseconds for which it may be behind at most: of the scope that is the newest, since what any has heard counts.
   * Undefined where none has heard from an upstream in this run.
   */
  tokensAgeMs(): number | undefined {
    const ages = this.#caughtUp().flatMap((scope) => scope.bound()?.boundMs ?? []);
    return ages.length === 0 ? undefined : Math.min(...ages);
  }

  /** Undefined = none, or revoked. */
  token(id: string): StoredToken | undefined {
    const scopes = this.#caughtUp();
    let newest: KnownToken | undefined;
    for (const { ledger } of scopes) {
      const known = ledger.registry.tokens.get(id);
      if (known !== undefined && (newest === undefined || known.stamp > newest.stamp)) newest = known;
    }
    const { token, position } = newest ?? {};
    if (token === undefined || position === undefined) return undefined;
    // Who covers the record and does not hold it has seen it revoked, and that forgotten.
    const wasRevoked = scopes.some(({ ledger: { registry, state } }) => {
      return registry.tokens.get(id) === undefined && registry.logs.coversPosition(state.covered, position);
    });
    return wasRevoked ? undefined : token;
  }

  /** What a title or id means. */
  namespace(name: string): NamespaceInfo | undefined {
    for (const { ledger } of this.#caughtUp()) {
      const found = ledger.registry.resolve(name);
      if (found !== undefined) return found === 'deleted' ? undefined : found;
    }
    return undefined;
  }

  #caughtUp(): readonly Known[] {
    return this.#scopes.filter(({ hasCaughtUp }) => hasCaughtUp);
  }
}
