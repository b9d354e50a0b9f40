import type { NamespaceInfo } from '../model/namespace.ts';
import type { StoredToken } from '../model/token.ts';
import type { KnownToken } from '../replication/tokens.ts';
import type { Scope } from './scope.ts';

type Known = Pick<Scope, 'ledger' | 'hasCaughtUp' | 'bound'>;

/**
 * What the registries of an edge's scopes say of tokens, at once and without a request. Each scope follows by itself,
 * so one may have heard of a revocation before the other: the later record counts. While the scopes are opened anew,
 * the knowledge of the earlier ones still counts.
 */
export class EdgeRegistries {
  #scopes: readonly Known[] = [];

  use(scopes: readonly Known[]): void {
    this.#scopes = scopes;
  }

  /** False until a scope has caught up: an edge that knows nothing must not deny a token. */
  knowsTokens(): boolean {
    return this.#caughtUp().length > 0;
  }

  /**
   * Milliseconds by which this may be behind, at most: those of the newest scope, since what any scope has heard
   * counts. Undefined if none has heard from an upstream in this run.
   */
  tokensAgeMs(): number | undefined {
    const ages = this.#caughtUp().flatMap((scope) => scope.bound()?.boundMs ?? []);
    return ages.length === 0 ? undefined : Math.min(...ages);
  }

  /** Undefined = unknown, or revoked. */
  token(id: string): StoredToken | undefined {
    const scopes = this.#caughtUp();
    let newest: KnownToken | undefined;
    for (const { ledger } of scopes) {
      const known = ledger.registry.tokens.get(id);
      if (known !== undefined && (newest === undefined || known.stamp > newest.stamp)) newest = known;
    }
    const { token, position } = newest ?? {};
    if (token === undefined || position === undefined) return undefined;
    // A scope that covers the record and does not hold it has seen the revocation, and purged it.
    const wasRevoked = scopes.some(({ ledger: { registry, state } }) => {
      return registry.tokens.get(id) === undefined && registry.logs.coversPosition(state.covered, position);
    });
    return wasRevoked ? undefined : token;
  }

  /** The namespace that a title or an id means. */
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
