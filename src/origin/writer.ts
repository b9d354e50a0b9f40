import { MeridianError } from '../model/errors.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { Condition, Mutation, WriteAnswer, WriteRequest, Written } from '../model/key-value.ts';
import { type NamespaceId, type NamespaceInfo, namespaceKey, registryNamespace } from '../model/namespace.ts';
import type { Position } from '../model/position.ts';
import { type Head, headOf, isReadable, type Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Stamp } from '../model/stamp.ts';
import { inStep, type Trace } from '../model/trace.ts';
import type { CommitView, Decision, Ledger } from '../replication/ledger.ts';
import { damagedRecord } from '../replication/mending.ts';
import { unknownNamespace } from '../replication/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import { checkMutations, expiresAtSeconds } from './check-mutations.ts';
import { hasCondition } from './has-condition.ts';
import { checkSessionStamp, type OwnLog } from './own-log.ts';

export interface WriterOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly ownLog: OwnLog;
  /** Milliseconds by which a session's stamp may be ahead of this origin's clock. */
  readonly clockSkewMsMax: number;
  /** Throws if this origin must not decide conditions of the namespace. */
  readonly checkAtHome: (namespace: NamespaceInfo) => void;
  /** Called with tracked writes before anybody can follow them. */
  readonly tracks: { begin(position: Position): void };
}

/** A mutation with the namespace's id instead of its title. Changes of the registry are made of drafts too. */
export interface Draft {
  readonly namespace: NamespaceId;
  readonly mutation: Mutation;
}

/** Stamps, sequences and commits what users write. A batch is one proposal, so it is taken or refused whole. */
export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** @throws INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION (a condition, a session too far ahead) */
  async write(request: WriteRequest, trace?: Trace): Promise<Omit<WriteAnswer, 'durability'>> {
    const { ledger, clock, checkAtHome } = this.#options;
    checkMutations(request.mutations, clock.wallMs());
    const namespace = ledger.registry.require(request.namespace).id;
    const drafts = request.mutations.map((mutation) => ({ namespace, mutation }));
    const check = (view: CommitView): void => {
      // A proposal of the same commit may have deleted it.
      const isGone = view.head({ namespace: registryNamespace, key: namespaceKey(namespace) })?.kind === 'tombstone';
      if (isGone) throw unknownNamespace(request.namespace);
      const now = ledger.registry.require(request.namespace).id;
      if (now !== namespace) {
        throw new MeridianError('UNAVAILABLE', `the title ${request.namespace} moved meanwhile; ask again`, {
          reason: 'namespace-moved',
          retryAfterMs: 0,
        });
      }
      if (hasCondition(request)) checkAtHome(ledger.registry.require(namespace));
    };
    const written = await inStep({ trace }, ['commit'], (step) => {
      return this.commit(drafts, request.session.stamp, check, {
        trace: step.trace,
        tracked: request.tracked === true,
      });
    });
    const { covered } = ledger.state;
    const last = written.at(-1);
    const { session: asked } = request;
    const session = last === undefined ? asked : ledger.registry.logs.session(asked, last, covered);
    return { namespace, origin: this.#options.ownLog.member, written, covered, session };
  }

  /** Commits drafts; `check` runs when they are decided and may refuse them. The last one's travel may be tracked. */
  commit(
    drafts: readonly Draft[],
    sessionStamp: Stamp,
    check: (view: CommitView) => void,
    { trace, tracked = false }: { readonly trace?: Trace | undefined; readonly tracked?: boolean } = {},
  ): Promise<readonly Written[]> {
    return this.#options.ledger.submit({
      keys: drafts.map(({ namespace, mutation }) => ({ namespace, key: mutation.key })),
      sync: true,
      trace,
      bytes: drafts.reduce((sum, { mutation }) => sum + bytesOf(mutation), 0),
      decide: (view) => {
        check(view);
        const decision = this.#decide(drafts, sessionStamp, view);
        const last = decision.result.at(-1);
        if (tracked && last !== undefined) this.#options.tracks.begin(last.position);
        return decision;
      },
    });
  }

  #decide(drafts: readonly Draft[], session: Stamp, view: CommitView): Decision<readonly Written[]> {
    const { clock, ownLog, clockSkewMsMax } = this.#options;
    const nowMs = clock.wallMs();
    checkSessionStamp(session, view.state.highWater, nowMs, clockSkewMsMax);
    const append = ownLog.append(view);
    if (holds('R14 later than the session')) append.raise(session);
    const batch = new Map<string, Record>();
    const written: Written[] = [];
    for (const { namespace, mutation } of drafts) {
      const name = mapKey(namespace, mutation.key);
      const earlier = batch.get(name);
      const held = earlier === undefined ? view.head({ namespace, key: mutation.key }) : headOf(earlier);
      const isUnknown = earlier === undefined && view.damaged({ namespace, key: mutation.key }) !== undefined;
      if (isUnknown && mutation.condition !== undefined) throw damagedRecord({ namespace, key: mutation.key });
      checkCondition(mutation.condition, held, mutation.key, nowMs);
      const record = recordOf(mutation, { namespace, key: mutation.key }, nowMs, append.next());
      batch.set(name, record);
      append.write(record);
      const { stamp, position, expiresAt } = record;
      written.push({ stamp, position, ...(expiresAt === undefined ? {} : { expiresAt }) });
    }
    return { ...append.decided(), result: written };
  }
}

function recordOf(
  mutation: Mutation,
  key: RecordKey,
  nowMs: number,
  place: Pick<Record, 'stamp' | 'position'>,
): Record {
  if (mutation.kind === 'delete') return { kind: 'tombstone', ...key, ...place };
  const expiresAt = expiresAtSeconds(mutation.expiry, nowMs);
  return {
    kind: 'live',
    ...key,
    ...place,
    value: mutation.value,
    ...(mutation.metadata === undefined ? {} : { metadata: mutation.metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function checkCondition(condition: Condition | undefined, held: Head | undefined, key: string, nowMs: number): void {
  if (condition === undefined || !holds('conditions are looked at')) return;
  const found = isReadable(held, nowMs) ? held.stamp : undefined;
  if (condition.kind === 'absent' ? found === undefined : found === condition.version) return;
  const wanted = condition.kind === 'absent' ? 'to be absent' : `to have version ${condition.version}`;
  throw new MeridianError('FAILED_PRECONDITION', `the key ${key} was ${wanted}, but ${saying(found)}`, {
    reason: 'condition-not-met',
    ...(found === undefined ? {} : { versionFound: found }),
  });
}

function saying(found: string | undefined): string {
  return found === undefined ? 'it is absent' : `it has version ${found}`;
}

function bytesOf(mutation: Mutation): number {
  return 256 + mutation.key.length + (mutation.kind === 'put' ? mutation.value.byteLength : 0);
}
