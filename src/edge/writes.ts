import type { Call } from '../model/call.ts';
import { toMeridianError } from '../model/errors.ts';
import { mapKey } from '../model/key.ts';
import type { Mutation, WriteAnswer, WriteRequest, Written } from '../model/key-value.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import type { InFlight } from '../replication/following/observed.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EdgeScopes } from './edge-scopes.ts';
import type { KnownTitles } from './known-titles.ts';
import type { EdgeObserver } from './observer.ts';
import { type Beginning, beginning, mayKeep, type Scope } from './scope.ts';
import type { Upstreams } from './upstreams.ts';

export interface WritesOptions {
  readonly scopes: () => EdgeScopes | undefined;
  readonly upstreams: Upstreams;
  readonly titles: KnownTitles;
  readonly clock: Clock;
  readonly edgeObserver: EdgeObserver;
}

interface Watched {
  readonly scope: Scope;
  /** What the title meant here when the write was sent. */
  readonly namespace: NamespaceId;
  readonly begun: Beginning;
  readonly name: string;
  readonly inFlight: InFlight;
}

/**
 * Writes go upstream, with the title as given. The result is installed here under the rules for loads (R11 to R13), so
 * that the writer reads it back at once. A write is sent once: whether a failed one happened is not known.
 */
export class Writes {
  readonly #options: WritesOptions;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const { clock, edgeObserver, upstreams } = this.#options;
    const startedMs = clock.monotonicMs();
    const watched = this.#watch(request);
    try {
      const answer = await upstreams.call(call, (upstream, passed) => upstream.write(request, passed));
      this.#options.titles.learn(request.namespace, answer.namespace, answer.covered);
      await this.#install(request.mutations, answer, watched);
      edgeObserver.written('ok', clock.monotonicMs() - startedMs);
      return answer;
    } catch (error) {
      edgeObserver.written(toMeridianError(error).code, clock.monotonicMs() - startedMs);
      throw error;
    } finally {
      for (const watching of watched) watching?.scope.observed.end(watching.name, watching.inFlight);
    }
  }

  #watch({ namespace: title, mutations }: WriteRequest): ReadonlyArray<Watched | undefined> {
    const scopes = this.#options.scopes();
    return mutations.map(({ key }) => {
      const located = scopes?.locate(title, key);
      if (located === undefined || located === 'deleted') return undefined;
      const { scope, namespace } = located;
      const name = mapKey(namespace, key);
      return { scope, namespace, begun: beginning(scope), name, inFlight: scope.observed.begin(name) };
    });
  }

  /** The write is acknowledged in any case: what cannot be installed comes by the feed. */
  async #install(
    mutations: readonly Mutation[],
    answer: WriteAnswer,
    watched: ReadonlyArray<Watched | undefined>,
  ): Promise<void> {
    const installs = mutations.map(async (mutation, index) => {
      const written = answer.written[index];
      const watching = watched[index];
      if (written === undefined || watching === undefined) return;
      const { scope, begun, inFlight } = watching;
      const keep =
        mayKeep(scope, begun, answer.covered, written.position) &&
        watching.namespace === answer.namespace &&
        (inFlight.latest === undefined || written.stamp >= inFlight.latest);
      if (keep) await scope.install(recordOf(mutation, answer.namespace, written));
    });
    await Promise.allSettled(installs);
  }
}

function recordOf(mutation: Mutation, namespace: NamespaceId, { stamp, position, expiresAt }: Written): Record {
  const { key } = mutation;
  if (mutation.kind === 'delete') return { kind: 'tombstone', namespace, key, stamp, position };
  const { value, metadata } = mutation;
  return {
    kind: 'live',
    namespace,
    key,
    stamp,
    position,
    value,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
