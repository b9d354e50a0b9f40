import type { Caller, CallerConnection, Entrance } from '../model/entrance.ts';
import type { Upstream } from '../model/upstream.ts';
import type { Clock } from '../runtime/clock.ts';
import { bearerOf } from './gate.ts';
import { adminGrant, type TokenSource } from './grant.ts';
import { GrantWatch } from './grant-watch.ts';
import { Guarded } from './guarded.ts';
import { TokenRates } from './token-rates.ts';

/**
 * The entrance of a process behind another one of the same node, which has asked the callers who they are and what they
 * may do. Here they may do everything; the token of one who brings his goes on with what he asks, for whoever decides it.
 */
export class PassedOn implements Entrance {
  readonly #node: Upstream & TokenSource;
  readonly #watch: GrantWatch;
  readonly #rates: TokenRates;

  constructor(node: Upstream & TokenSource, clock: Clock) {
    this.#node = node;
    this.#watch = new GrantWatch(clock);
    this.#rates = new TokenRates(clock);
  }

  enter({ authorization, address }: Caller): Upstream {
    const text = bearerOf(authorization);
    if (text === undefined) return this.#node;
    const grant = adminGrant(text, () => true);
    return new Guarded({
      ...{ grant, address, upstream: this.#node, source: this.#node },
      ...{ watch: this.#watch, rates: this.#rates },
    });
  }

  /** Whoever reaches this process is one of the same node. */
  administer<T>(_caller: Caller, _action: string, run: () => Promise<T>): Promise<T> {
    return run();
  }

  /** Who the callers are, the process in front knows: it has let them take turns. */
  shareOf(connection: CallerConnection): object {
    return connection;
  }
}
