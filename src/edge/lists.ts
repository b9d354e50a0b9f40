import type { Call } from '../model/call.ts';
import { toMeridianError } from '../model/errors.ts';
import { containsRange } from '../model/filter.ts';
import type { ListAnswer, ListRequest } from '../model/key-value.ts';
import { decodeListCursor } from '../model/list-cursor.ts';
import { checkListLimit } from '../model/list-limit.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import { joinSessions } from '../model/session.ts';
import { listPage } from '../replication/list-page.ts';
import type { ExpiryClock } from '../runtime/clock.ts';
import { momentOf } from '../runtime/moment.ts';
import { type AgeTerms, agedSince, judged } from './answer-age.ts';
import type { CopyScope } from './copy-scope.ts';
import type { EdgeScopes } from './edge-scopes.ts';
import type { LoadPermits } from './load-permits.ts';
import type { EdgeObserver } from './observer.ts';
import { decideRead, type ReadCase } from './read-decision.ts';
import { inTermsOfSession, isTrouble, type ReadTermsOptions, readFacts } from './read-terms.ts';

export interface ListsOptions extends ReadTermsOptions, AgeTerms {
  readonly scopes: () => EdgeScopes | undefined;
  readonly permits: LoadPermits;
  readonly expiryClock: ExpiryClock;
  readonly edgeObserver: EdgeObserver;
  readonly responder: string;
}

/** Lists come from a copy that holds the whole prefix, by the same decision as reads; all others from the upstream. */
export class Lists {
  readonly #options: ListsOptions;

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    const { clock, edgeObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const answer = await this.#list(request, call);
      edgeObserver.read('list', answer.source, answer.past ? 'past' : 'found', clock.monotonicMs() - startedMs);
      return answer;
    } catch (error) {
      edgeObserver.read('list', 'none', toMeridianError(error).code, clock.monotonicMs() - startedMs);
      throw error;
    }
  }

  async #list(request: ListRequest, call: Call): Promise<ListAnswer> {
    checkListLimit(request.limit);
    const held = this.#copyOf(request);
    const facts = this.#facts(request, held?.copy);
    const decision = decideRead(facts);
    const own =
      held !== undefined && decision !== 'load' && decision !== 'refuse'
        ? await this.#fromCopy(held, request, facts)
        : undefined;
    // The upstream may know what is damaged here.
    if (own !== undefined && !own.keys.some(({ damaged }) => damaged)) return own;
    try {
      return await this.#ask(request, call);
    } catch (error) {
      if (!isTrouble(error) || call.signal.aborted) throw error;
      // Looks again, even if there was a page: it has aged, and the title may mean another namespace by now.
      const later = this.#copyOf(request);
      const laterFacts = this.#facts(request, later?.copy);
      if (later === undefined || decideRead({ ...laterFacts, loadFailed: true }) !== 'serve-stale') {
        throw inTermsOfSession(error, request.session.vector, later?.copy.ledger);
      }
      return this.#fromCopy(later, request, laterFacts);
    }
  }

  /** The answer's age counts from when it was asked for. */
  async #ask(request: ListRequest, call: Call): Promise<ListAnswer> {
    const { clock, upstreams, permits } = this.#options;
    const sent = momentOf(clock);
    const answer = await permits.run(call, () => upstreams.ask(call, (upstream, to) => upstream.list(request, to)));
    return judged(agedSince(answer, sent, this.#options), request.maxStalenessMs);
  }

  #copyOf({ namespace: name, prefix }: ListRequest) {
    const scopes = this.#options.scopes();
    const copy = scopes?.copy?.scope;
    const namespace = copy?.ledger.registry.resolve(name);
    if (copy === undefined || namespace === undefined || namespace === 'deleted') return undefined;
    return containsRange(copy.filter, { namespace: namespace.id, prefix }) ? { copy, namespace } : undefined;
  }

  #facts(request: ListRequest, copy: CopyScope | undefined): ReadCase {
    return readFacts(request, this.#options, {
      held: copy?.hasCaughtUp === true ? 'valid' : 'nothing',
      boundMs: copy?.bound()?.boundMs,
      sessionCovered:
        copy?.ledger.registry.logs.uncovered(copy.ledger.state.covered, request.session.vector).length === 0,
    });
  }

  async #fromCopy(
    { copy, namespace }: { readonly copy: CopyScope; readonly namespace: NamespaceInfo },
    { prefix, limit, cursor, session: asked }: ListRequest,
    facts: ReadCase,
  ): Promise<ListAnswer> {
    const { clock, expiryClock, responder } = this.#options;
    const after = cursor === undefined ? undefined : decodeListCursor(cursor, namespace.id, prefix);
    const { snapshot, state } = copy.ledger.instant();
    const bound = copy.bound();
    const looked = momentOf(clock);
    try {
      const range = { namespace: namespace.id, prefix, limit, ...(after === undefined ? {} : { after }) };
      const { logs } = copy.ledger.registry;
      const { covered } = state;
      const { seen, ...page } = await listPage(snapshot, range, { covered, logs }, expiryClock.nowMs());
      const session = logs.session(joinSessions(asked, seen), { covered }, covered);
      const provenance = { namespace: namespace.id, source: 'copy' as const, covered, responder, session };
      const known = { ...page, ...provenance, past: false, ...(bound === undefined ? {} : { bound }) };
      const answer = agedSince(known, looked, this.#options);
      return { ...answer, past: answer.bound === undefined || answer.bound.boundMs > facts.maxStalenessMs };
    } finally {
      await snapshot.close();
    }
  }
}
