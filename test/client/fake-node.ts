import type { GetManyRequest, RemoteNode } from '../../src/client/remote-node.ts';
import type { WatchEvent, WatchRequest } from '../../src/client/watch-event.ts';
import type { Call } from '../../src/model/call.ts';
import type { Member, NodeStatus, RemovedMember, RemoveMemberRequest } from '../../src/model/cluster.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { compareKeys } from '../../src/model/key.ts';
import type {
  GetAnswer,
  GetRequest,
  ListAnswer,
  ListRequest,
  Mutation,
  ReadOptions,
  ValueWaiter,
  WriteAnswer,
  WriteRequest,
  Written,
} from '../../src/model/key-value.ts';
import type { NamespaceId, NamespaceInfo } from '../../src/model/namespace.ts';
import type { NamespaceChange } from '../../src/model/namespaces.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
import type { LiveRecord, Record } from '../../src/model/record.ts';
import { emptySession, type Session, sessionAfterAbsence, sessionAfterRecord } from '../../src/model/session.ts';
import { bottomStamp, makeStamp } from '../../src/model/stamp.ts';

export const fakeOrigin = 'aaaaaaaaaaaaaaaa' as MemberId;
export const fakeLog = '1000000000000001' as LogId;
const namespace = '1'.repeat(32) as NamespaceId;

/** As an origin refuses a condition that does not hold. */
function checkCondition({ key, condition }: Mutation, held: Record | undefined): void {
  if (condition === undefined) return;
  const found = held?.kind === 'live' ? held.stamp : undefined;
  if (condition.kind === 'absent' ? found === undefined : found === condition.version) return;
  const details = { reason: 'condition-not-met', ...(found === undefined ? {} : { versionFound: found }) };
  throw new MeridianError(
    'FAILED_PRECONDITION',
    condition.kind === 'absent' ? 'there is a value' : `${key} has another version`,
    details,
  );
}

/** One node in memory with one namespace, which answers, fails and watches as a test tells it. */
export class FakeNode implements RemoteNode {
  readonly records = new Map<string, Record>();
  /** Keys whose records are damaged. */
  readonly damaged = new Set<string>();
  readonly sessions: Session[] = [];
  readonly gets: GetRequest[] = [];
  readonly writes: WriteRequest[] = [];
  readonly calls: Call[] = [];
  readonly watches: WatchRequest[] = [];
  /** Each call throws this while it is set. */
  /** Answers are older than what was asked for. */
  past = false;
  failure: MeridianError | undefined;
  /** What the next watches tell, one list each; an error in it breaks the stream there. */
  watchScripts: Array<Array<WatchEvent | MeridianError>> = [];
  closed = false;
  /** Of the namespace that it has, by whatever name it is asked for. */
  namespaceId = namespace;
  /** How often it was asked for its status. */
  statuses = 0;
  onStatus: (count: number) => void = () => {};
  /** Whom it knows besides itself. */
  otherMembers: readonly Member[] = [];
  notes: readonly string[] = ['a note'];
  #sequence = 0;

  peek(): undefined {
    return undefined;
  }

  beginGet(key: string, read: ReadOptions, call: Call, waiter: ValueWaiter): boolean {
    this.get({ key, ...read }, call).then(
      ({ record, session }) => waiter.value(record?.kind === 'live' ? record.value : undefined, session),
      (error: unknown) => waiter.reject(error),
    );
    return true;
  }

  async goOn(failure: unknown): Promise<GetAnswer> {
    throw failure;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    this.#enter(request.session, call);
    this.gets.push(request);
    return this.#answer(request.key, request.session);
  }

  async getMany(request: GetManyRequest, call: Call): Promise<readonly GetAnswer[]> {
    this.#enter(request.session, call);
    return request.keys.map((key) => this.#answer(key, request.session));
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    this.#enter(request.session, call);
    const { prefix, limit, cursor } = request;
    const live = [...this.records.values()]
      .filter((record): record is LiveRecord => record.kind === 'live' && record.key.startsWith(prefix))
      .sort((a, b) => compareKeys(a.key, b.key))
      .filter(({ key }) => cursor === undefined || compareKeys(key, cursor) > 0);
    const page = live.slice(0, limit);
    const last = page.at(-1);
    return {
      ...this.#provenance(),
      session: sessionAfterAbsence(request.session, this.#covered()),
      keys: page.map(({ value, ...head }) =>
        this.damaged.has(head.key)
          ? { key: head.key, damaged: true as const, stamp: bottomStamp, valueBytes: 0 }
          : { ...head, valueBytes: value.byteLength },
      ),
      ...(last !== undefined && live.length > limit ? { cursor: last.key } : {}),
    };
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    this.#enter(request.session, call);
    this.writes.push(request);
    // All of them or none.
    for (const mutation of request.mutations) checkCondition(mutation, this.records.get(mutation.key));
    const written = request.mutations.map((mutation) => this.#apply(mutation));
    return {
      namespace,
      origin: fakeOrigin,
      written,
      durability: 'local',
      covered: this.#covered(),
      session: written.reduce((after, { position, stamp }) => {
        return sessionAfterRecord(after, position, stamp);
      }, request.session),
    };
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    this.watches.push(request);
    const script = this.watchScripts.shift();
    if (script === undefined) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      return;
    }
    for (const event of script) {
      if (event instanceof MeridianError) throw event;
      yield event;
    }
  }

  async create(title: string, call: Call): Promise<NamespaceChange> {
    this.#enter(emptySession, call);
    if (title === 'taken')
      throw new MeridianError('ALREADY_EXISTS', `"taken" exists already`, { reason: 'title-taken' });
    return this.#change(title);
  }

  async find(name: string, call: Call): Promise<NamespaceInfo> {
    this.#enter(emptySession, call);
    if (name === 'nowhere') throw new MeridianError('NOT_FOUND', 'no such namespace', { reason: 'unknown-namespace' });
    return { id: this.namespaceId, title: name, home: fakeOrigin };
  }

  async namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    this.#enter(emptySession, call);
    return [{ id: namespace, title: 'flags', home: fakeOrigin }];
  }

  async rename(_name: string, title: string, call: Call): Promise<NamespaceChange> {
    this.#enter(emptySession, call);
    return this.#change(title);
  }

  async remove(name: string, call: Call): Promise<NamespaceChange> {
    this.#enter(emptySession, call);
    return this.#change(name);
  }

  async moveHome(name: string, _origin: string, call: Call): Promise<NamespaceChange> {
    this.#enter(emptySession, call);
    return this.#change(name);
  }

  async createToken(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async tokens(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async rotateToken(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async revokeToken(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async removeMember({ name }: RemoveMemberRequest): Promise<RemovedMember> {
    const found = this.otherMembers.find((other) => other.name === name);
    if (found === undefined)
      throw new MeridianError('NOT_FOUND', `no member is called ${name}`, { reason: 'unknown-member' });
    return { id: found.id as MemberId, name, logs: [], missing: [] };
  }

  async digest(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async digestRange(): Promise<never> {
    throw new Error('not part of these tests');
  }

  async status(call: Call): Promise<NodeStatus> {
    this.statuses++;
    this.onStatus(this.statuses);
    this.#enter(emptySession, call);
    return {
      node: { name: 'fake', role: 'origin', id: fakeOrigin, region: 'test', location: [38.9, -77.4] },
      clusterId: 'c',
      version: '0',
      ready: true,
      notes: this.notes,
      uptimeMs: 1000,
      log: fakeLog,
      unsealed: [{ log: '0000000000000009' as LogId, waitsFor: ['iad'] }],
      scopes: [
        {
          kind: 'all',
          filter: ['*'],
          state: 'live',
          covered: this.#covered(),
          floor: new Map(),
          stable: new Map(),
          boundMs: 0,
        },
      ],
      followers: [],
      readOnly: false,
      hotKeys: [
        { namespace: 'a'.repeat(32) as NamespaceId, title: 'flags', key: 'beta\u001b[2J', reads: 1024.4, error: 3 },
      ],
    };
  }

  async members(call: Call): Promise<readonly Member[]> {
    this.#enter(emptySession, call);
    const logs = [
      { log: '0000000000000009' as LogId, openedMs: 1 },
      { log: fakeLog, openedMs: 2 },
    ];
    const self: Member = { name: 'fake', role: 'origin', id: fakeOrigin, region: 'test', connected: true, logs };
    return [self, ...this.otherMembers];
  }

  async drain(): Promise<{ calls: number }> {
    return { calls: 0 };
  }

  close(): void {
    this.closed = true;
  }

  #enter(session: Session, call: Call): void {
    this.calls.push(call);
    if (this.failure !== undefined) throw this.failure;
    this.sessions.push(session);
  }

  #apply(mutation: Mutation): Written {
    const sequence = ++this.#sequence;
    const stamp = makeStamp({ wallMs: sequence, counter: 0, log: fakeLog });
    const head = { namespace, key: mutation.key, stamp, position: { log: fakeLog, sequence } };
    if (mutation.kind === 'delete') this.records.set(mutation.key, { kind: 'tombstone', ...head });
    else {
      const { value, metadata, expiry } = mutation;
      const expiresAt = expiry === undefined ? {} : { expiresAt: expiry.seconds };
      this.records.set(mutation.key, { kind: 'live', ...head, value, ...(metadata ? { metadata } : {}), ...expiresAt });
    }
    return { stamp, position: head.position };
  }

  #answer(key: string, asked: Session): GetAnswer {
    if (this.damaged.has(key)) throw new MeridianError('DATA_LOSS', `${key} is damaged`, { reason: 'damaged-record' });
    const record = this.records.get(key);
    const session = record
      ? sessionAfterRecord(asked, record.position, record.stamp)
      : sessionAfterAbsence(asked, this.#covered());
    return { ...this.#provenance(), session, record };
  }

  #provenance() {
    const bound = { boundMs: 120, root: fakeLog };
    return { namespace, source: 'cache', bound, past: this.past, covered: this.#covered(), responder: 'fake' } as const;
  }

  #covered() {
    return new Map(this.#sequence === 0 ? [] : [[fakeLog, this.#sequence]]);
  }

  #change(title: string): NamespaceChange {
    const session = { vector: new Map([[fakeLog, 99]]), stamp: emptySession.stamp };
    return { namespace: { id: namespace, title, home: fakeOrigin }, session, durability: 'local' };
  }
}
