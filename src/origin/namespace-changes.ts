import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Durability as Level } from '../model/key-value.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import type { MemberId } from '../model/position.ts';
import type { Upstream } from '../model/upstream.ts';
import type { Registry } from '../replication/registry.ts';
import type { Durability } from './durability.ts';
import type { Homes } from './homes.ts';
import type { Membership } from './membership/membership.ts';
import type { CommittedChange, NamespaceWriter } from './namespace-writer.ts';
import type { OriginReads } from './origin-reads.ts';

export interface NamespaceChangesOptions {
  readonly registry: Registry;
  readonly writer: NamespaceWriter;
  readonly homes: Homes;
  readonly membership: Membership;
  readonly reads: OriginReads;
  readonly durability: Durability;
  /** The cluster's own level, which every change of the registry is to reach. */
  readonly level: Level;
}

/** Changes of namespaces from any origin: each decided at its home, seen here, and durable, before it is answered. */
export class NamespaceChanges {
  readonly #options: NamespaceChangesOptions;

  constructor(options: NamespaceChangesOptions) {
    this.#options = options;
  }

  create(title: string, call: Call): Promise<NamespaceChange> {
    const { writer } = this.#options;
    return this.#atRegistryHome(
      call,
      () => writer.create(title),
      (home, passed) => home.create(title, passed),
    );
  }

  rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    const { writer } = this.#options;
    return this.#atRegistryHome(
      call,
      () => writer.rename(name, title),
      (home, passed) => home.rename(name, title, passed),
    );
  }

  remove(name: string, call: Call): Promise<NamespaceChange> {
    const { writer } = this.#options;
    return this.#atRegistryHome(
      call,
      () => writer.remove(name),
      (home, passed) => home.remove(name, passed),
    );
  }

  /** Decided at the namespace's present home. */
  async move(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    const { membership, homes, registry, writer } = this.#options;
    membership.check();
    const namespace = registry.require(name);
    const to = this.#originNamed(origin);
    const moved = await homes.atHomeOf(
      namespace,
      call,
      async () => this.#durably(await writer.move(name, to), call),
      (home, passed) => home.moveHome(name, to, passed),
    );
    return this.#seenHere(moved, call);
  }

  async #atRegistryHome(
    call: Call,
    here: () => Promise<CommittedChange>,
    there: (home: Upstream, call: Call) => Promise<NamespaceChange>,
  ): Promise<NamespaceChange> {
    const { membership, homes } = this.#options;
    membership.check();
    const change = await homes.atRegistryHome(call, async () => this.#durably(await here(), call), there);
    return this.#seenHere(change, call);
  }

  async #seenHere(change: NamespaceChange, call: Call): Promise<NamespaceChange> {
    await this.#options.reads.covering(change.session, call);
    return change;
  }

  /** The change is synced here; the answer says on how many origins' disks it was in time. */
  async #durably({ position, ...change }: CommittedChange, call: Call): Promise<NamespaceChange> {
    const { level, durability } = this.#options;
    return { ...change, durability: await durability.reach(position, level, { timeoutMs: undefined, ...call }) };
  }

  /** @throws NOT_FOUND; UNAVAILABLE if it is still catching up */
  #originNamed(name: string): MemberId {
    const { members } = this.#options.registry;
    const isNamed = (origin: { readonly id: string; readonly name: string }) =>
      origin.id === name || origin.name === name;
    const found = members.registered().filter(isNamed);
    const serving = members.serving().filter(isNamed);
    const [only] = serving;
    if (only !== undefined && serving.length === 1) return only.id;
    if (found.length === 1) {
      throw new MeridianError('UNAVAILABLE', `${name} is not known to serve yet; ask again`, {
        reason: 'origin-joining',
        retryAfterMs: 200,
      });
    }
    throw new MeridianError(
      'NOT_FOUND',
      found.length === 0
        ? `no origin is called ${name}`
        : `${found.length} origins are called ${name}; name one by its id`,
      { reason: 'unknown-origin' },
    );
  }
}
