import type { CallerConnection } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import type { Grant } from './grant.ts';

interface Used {
  /** Who proved himself on it last. */
  latest: string;
  /** The tokens that are counted for it. */
  readonly counted: Set<string>;
}

/** Who uses which connections: whose share each is in, and how many each token has that may have so many at most. */
export class TokenConnections {
  readonly #used = new WeakMap<CallerConnection, Used>();
  /** By token id: no more than there are tokens with connections. */
  readonly #counts = new Map<string, number>();

  /** The id of whoever proved himself on the connection last. */
  latestOn(connection: CallerConnection): string | undefined {
    return this.#used.get(connection)?.latest;
  }

  /** Counts the connection for a token, once, until it closes. @throws RESOURCE_EXHAUSTED (`token-connections`) */
  use(connection: CallerConnection, { id, limits }: Pick<Grant, 'id' | 'limits'>): void {
    const used = this.#used.get(connection) ?? this.#watch(connection);
    const most = limits?.connectionsMax;
    if (most !== undefined && !used.counted.has(id) && !connection.destroyed) {
      const count = (this.#counts.get(id) ?? 0) + 1;
      if (count > most) throw tooMany(most, count);
      this.#counts.set(id, count);
      used.counted.add(id);
    }
    used.latest = id;
  }

  #watch(connection: CallerConnection): Used {
    const used: Used = { latest: '', counted: new Set() };
    this.#used.set(connection, used);
    connection.once('close', () => {
      for (const id of used.counted) {
        const left = (this.#counts.get(id) ?? 0) - 1;
        if (left > 0) this.#counts.set(id, left);
        else this.#counts.delete(id);
      }
    });
    return used;
  }
}

function tooMany(limit: number, seen: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `this token has ${limit} connections to this node already`, {
    ...{ reason: 'token-connections', limit, seen, retryAfterMs: 5000 },
  });
}
