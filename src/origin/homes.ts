import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import { type NamespaceInfo, registryNamespace } from '../model/namespace.ts';
import type { MemberId } from '../model/position.ts';
import { holds } from '../model/rules.ts';
import { inStep } from '../model/trace.ts';
import type { Upstream } from '../model/upstream.ts';
import type { Ledger } from '../replication/ledger.ts';
import type { Peers } from './peers.ts';
import type { Stability } from './stability.ts';

export interface HomesOptions {
  readonly ledger: Ledger;
  readonly self: MemberId;
  readonly peers: Peers;
  readonly stability: Pick<Stability, 'isCovered'>;
}

/**
 * A namespace's conditional writes, and the registry's changes, are decided at one origin, their home, in the order of
 * its commits. Any other origin passes them on, once, or says at once that it cannot.
 */
export class Homes {
  readonly #options: HomesOptions;
  /** Namespaces whose move away is being committed: after the move nothing is decided here. */
  readonly #leaving = new Set<string>();

  constructor(options: HomesOptions) {
    this.#options = options;
  }

  /** Decides here, or lets the home decide. @throws UNAVAILABLE if the home is away or has just moved */
  atHomeOf<T>(
    namespace: NamespaceInfo,
    call: Call,
    here: () => Promise<T>,
    there: (home: Upstream, call: Call) => Promise<T>,
  ): Promise<T> {
    return this.#decided(`namespace ${namespace.title}`, namespace.home, call, here, there);
  }

  /** The same for creating, renaming and removing namespaces. */
  atRegistryHome<T>(call: Call, here: () => Promise<T>, there: (home: Upstream, call: Call) => Promise<T>): Promise<T> {
    const home = this.#options.ledger.registry.members.registryHome();
    return this.#decided('the registry of namespaces', home, call, here, there);
  }

  /** Call this where a conditional write is committed. @throws UNAVAILABLE if this origin may not decide it */
  checkAtHome(namespace: NamespaceInfo): void {
    if (!holds('homes: the old one decides nothing behind the move')) return;
    const { ledger, self } = this.#options;
    const here = namespace.home === self && !this.#leaving.has(namespace.id);
    const mayDecide = ledger.registry.mayDecide(namespace.id, ledger.state.covered);
    if (here && ((mayDecide && this.#isMoveKnown(namespace)) || !holds('homes: the new one covers its move'))) return;
    throw moved(`namespace ${namespace.title}`);
  }

  /** True once enough members know of the move: else a remover of the former home would take the home over. */
  #isMoveKnown({ id }: NamespaceInfo): boolean {
    const { ledger, stability } = this.#options;
    const move = ledger.registry.members.moveOf(id);
    return move === undefined || stability.isCovered(move.at, move.isWrittenAgain ? 'all' : 'most');
  }

  checkAtRegistryHome(): void {
    const { ledger, self } = this.#options;
    const { members } = ledger.registry;
    const home = members.registryHome();
    // A record names the registry's first home, as it does each later one.
    if (home === self && members.mayDecide(registryNamespace, self, ledger.state.covered)) return;
    throw moved('the registry of namespaces');
  }

  /** Runs the commit that moves a home away; what is queued after it is not decided here. */
  async leaving<T>(namespace: NamespaceInfo, commit: (begin: () => void) => Promise<T>): Promise<T> {
    try {
      return await commit(() => this.#leaving.add(namespace.id));
    } finally {
      // By now the registry names the home, even if the commit failed.
      this.#leaving.delete(namespace.id);
    }
  }

  async #decided<T>(
    what: string,
    home: MemberId | undefined,
    call: Call,
    here: () => Promise<T>,
    there: (home: Upstream, call: Call) => Promise<T>,
  ): Promise<T> {
    const { self, peers, ledger } = this.#options;
    if (home === self || !holds('homes: decided at one')) return here();
    if (call.forwarded) throw moved(what);
    const upstream = home === undefined ? undefined : peers.reach(home);
    const passed: Call = { ...call, forwarded: true };
    if (upstream !== undefined) return inStep(passed, ['home', { kind: 'client' }], (asked) => there(upstream, asked));
    const name = home === undefined ? 'an origin' : ledger.registry.members.nameOf(home);
    throw new MeridianError('UNAVAILABLE', `${what} is decided at ${name}, which is not reached from here`, {
      reason: 'home-away',
      retryAfterMs: 1000,
    });
  }
}

function moved(what: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `the home of ${what} is moving; ask again`, {
    reason: 'home-moved',
    retryAfterMs: 200,
  });
}
