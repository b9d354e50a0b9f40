import type { Call } from '../../src/model/call.ts';
import type { RemovedMember } from '../../src/model/cluster.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { GetAnswer, Mutation, WriteAnswer, WriteRequest } from '../../src/model/key-value.ts';
import type { Record } from '../../src/model/record.ts';
import { emptySession, type Session } from '../../src/model/session.ts';
import type { Peer } from '../../src/model/upstream.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { type OriginOptions, originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { type DiskImage, OriginDisks } from '../support/memory-origin-stores.ts';
import type { MemoryDisk, MemoryStore } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualClock, VirtualTime } from '../support/virtual-time.ts';

interface Member {
  readonly disks: OriginDisks;
  origin: Origin | undefined;
  /** Those of the process that runs over the disks. */
  stores: MemoryStore[];
  clock: VirtualClock;
  peers: readonly string[];
  /** Said why it begins anew, or that it was replaced. */
  anew?: string;
  replaced?: string;
}

/** Several origins in one process, in virtual time, over links that take a while and can be cut. */
export class OriginGroup {
  readonly time = new VirtualTime();
  readonly random = new SeededRandom(1);
  /** What origins that began anew kept apart. */
  readonly keptApart: Array<{ readonly member: string; readonly record: Record }> = [];
  readonly #members = new Map<string, Member>();
  readonly #cut = new Set<string>();
  /** Looks of the streams that are open: each ends at once where its path was cut. */
  readonly #looks = new Set<() => void>();
  readonly #options: Partial<OriginOptions>;

  constructor(options: Partial<OriginOptions> = {}) {
    this.#options = options;
  }

  /** Opens an origin over its disk, which it keeps across restarts; `before` is done to that first. */
  async open(
    name: string,
    peers: readonly string[] = [],
    options: Partial<OriginOptions> = {},
    before: (opened: OriginOptions) => Promise<void> = async () => {},
  ): Promise<Origin> {
    const disks = this.#members.get(name)?.disks ?? new OriginDisks();
    const clock = new VirtualClock(this.time);
    const member: Member = { disks, origin: undefined, stores: [], clock, peers };
    this.#members.set(name, member);
    const stores = await disks.open((disk) => {
      const store = disk.open(() => this.time.wait(1));
      member.stores.push(store);
      return store;
    });
    const opened: OriginOptions = {
      ...originDefaults,
      observer: silentReplicationObserver,
      probeIntervalMs: 20,
      silenceMsMax: 300,
      backoff: { firstMs: 5, mostMs: 50 },
      garbageIntervalMs: 50,
      clockHoldMs: 0,
      clockSkewMsMax: 60,
      ringCommitsMax: 4,
      scanRecordsMax: 2,
      durability: 'local',
      name,
      ...this.#options,
      ...options,
      stores,
      clock,
      random: this.random,
      originObserver: silentOriginObserver,
      address: name,
      region: 'r',
      version: 'test',
      peers,
      keepApart: async (of, records) => {
        for await (const record of records) this.keptApart.push({ member: of, record });
        return 'a file';
      },
      beginAnew: (why) => {
        member.anew = why;
      },
      replaced: (why) => {
        member.replaced = why;
      },
      connect: (address) => ({ upstream: this.reach(name, address), close: () => {} }),
    };
    await this.until(before(opened));
    member.origin = await this.until(Origin.open(opened));
    return member.origin;
  }

  /** a, with the namespace, and b and c, which it let in: they follow each other, and nothing is left to seal. */
  async openThree(): Promise<void> {
    await this.open('a');
    await this.until(this.at('a').create('ns', this.call()));
    for (const name of ['b', 'c']) await this.open(name, ['a']);
    await this.ready('b', 'c');
    await this.settled('a', 'b', 'c');
  }

  at(name: string): Origin {
    const origin = this.#members.get(name)?.origin;
    if (origin === undefined) throw new Error(`${name} is not open`);
    return origin;
  }

  disk(name: string): MemoryDisk {
    return this.#of(name).disks.present;
  }

  /** What its disk holds now. */
  image(name: string): DiskImage {
    return this.#of(name).disks.image();
  }

  /** Its process goes down, and its disk, or that of a new one, is put back to an image. */
  putBack(name: string, image: DiskImage): void {
    this.crash(name);
    const { disks } = this.#members.get(name) ?? { disks: new OriginDisks() };
    disks.putBack(image);
    this.#members.set(name, { disks, origin: undefined, stores: [], clock: new VirtualClock(this.time), peers: [] });
  }

  clock(name: string): VirtualClock {
    return this.#of(name).clock;
  }

  /** Why the origin has to begin anew; undefined while it has not. */
  anew(name: string): string | undefined {
    return this.#of(name).anew;
  }

  /** Why the origin was replaced; undefined while it was not. */
  replaced(name: string): string | undefined {
    return this.#of(name).replaced;
  }

  #of(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`${name} was never opened`);
    return member;
  }

  /** Closes it in good order and opens it again, as its composition root would. */
  async reopen(name: string): Promise<Origin> {
    const { origin, peers } = this.#of(name);
    if (origin !== undefined) await this.until(origin.close());
    this.crash(name);
    return this.open(name, peers);
  }

  /** Waits until the origin asks to begin anew, does that, and waits until it serves. */
  async beginsAnew(name: string): Promise<void> {
    await this.untilHolds(() => this.anew(name) !== undefined);
    await this.reopen(name);
    await this.ready(name);
  }

  /** Nothing of it has an effect from now on; what it had not synced is gone. */
  crash(name: string): void {
    const member = this.#members.get(name);
    member?.clock.stop();
    for (const store of member?.stores ?? []) store.crash();
    if (member !== undefined) member.origin = undefined;
  }

  wipe(name: string): void {
    this.#members.delete(name);
  }

  cut(a: string, b: string): void {
    this.#cut.add([a, b].sort().join());
    for (const look of this.#looks) look();
  }

  mend(a: string, b: string): void {
    this.#cut.delete([a, b].sort().join());
  }

  /** Lets virtual time pass until the promise is settled, ten seconds at the most. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (let waitedMs = 0; !settled && waitedMs < 10_000; waitedMs += 10) await this.pass(10);
    if (!settled) throw new Error('ten seconds were not enough');
    return promise;
  }

  async untilHolds(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
      if (await holds()) return;
      await this.pass(10);
    }
    throw new Error('ten seconds were not enough');
  }

  async pass(ms: number): Promise<void> {
    await this.time.runUntil(this.time.nowMs + ms);
  }

  async ready(...names: string[]): Promise<void> {
    await this.untilHolds(async () => {
      const all = await Promise.all(names.map(async (name) => (await this.at(name).status()).ready));
      return all.every(Boolean);
    });
  }

  /** Every one of them follows all the others, and every past log is sealed. */
  async settled(...names: string[]): Promise<void> {
    await this.untilHolds(async () => {
      const statuses = await Promise.all(names.map((name) => this.at(name).status()));
      return statuses.every(
        ({ peers = [], unsealed = [] }) =>
          unsealed.length === 0 && peers.filter(({ state }) => state === 'live').length === names.length - 1,
      );
    });
  }

  /** The key reads like this at each of them. */
  async alike(names: readonly string[], key: string, text: string | null): Promise<void> {
    await this.untilHolds(async () => {
      const texts = await Promise.all(names.map((name) => this.text(name, key)));
      return texts.every((each) => each === text);
    });
  }

  /** Takes it out for good. */
  remove(at: string, name: string, force = false): Promise<RemovedMember> {
    return this.until(this.at(at).removeMember({ name, force }, this.call(5000)));
  }

  call(ms = 1000): Call {
    return { deadlineMs: this.time.nowMs + ms, signal: new AbortController().signal };
  }

  write(at: string, mutation: Mutation, more: Partial<WriteRequest> = {}): Promise<WriteAnswer> {
    const request = { namespace: 'ns', mutations: [mutation], session: emptySession, ...more };
    return this.until(this.at(at).write(request, this.call()));
  }

  put(at: string, key: string, text: string, more: Partial<WriteRequest> = {}): Promise<WriteAnswer> {
    return this.write(at, { kind: 'put', key, value: Buffer.from(text) }, more);
  }

  get(at: string, key: string, session: Session = emptySession): Promise<GetAnswer> {
    return this.until(this.at(at).get({ namespace: 'ns', key, session }, this.call()));
  }

  /** The text of a key, or null where it is absent or the namespace unknown. */
  async text(at: string, key: string): Promise<string | null> {
    try {
      const { record } = await this.get(at, key);
      return record?.kind === 'live' ? Buffer.from(record.value).toString() : null;
    } catch {
      return null;
    }
  }

  /** One node as another reaches it. */
  reach(from: string, to: string): Peer {
    const alive = (target: Origin | undefined): target is Origin =>
      target !== undefined && this.#members.get(to)?.origin === target && !this.#cut.has([from, to].sort().join());
    const gone = () => new MeridianError('UNAVAILABLE', `${to} is not reached from ${from}`, { reason: 'connection' });
    const call =
      (method: keyof Peer) =>
      async (...args: unknown[]): Promise<unknown> => {
        await this.time.wait(2);
        const target = this.#members.get(to)?.origin;
        if (!alive(target)) throw gone();
        const answer = await (target[method] as (...args: unknown[]) => Promise<unknown>).apply(target, args);
        await this.time.wait(2);
        if (!alive(target)) throw gone();
        return answer;
      };
    const group = this;
    const follow: Peer['follow'] = async function* (open, messages, signal) {
      await group.time.wait(2);
      const target = group.#members.get(to)?.origin;
      if (!alive(target)) throw gone();
      const ended = new AbortController();
      const over = AbortSignal.any([signal, ended.signal]);
      const look = () => {
        if (!over.aborted && !alive(target)) ended.abort(gone());
      };
      const lookAgain = () => {
        look();
        if (!over.aborted) group.time.at(5, lookAgain);
      };
      lookAgain();
      group.#looks.add(look);
      const broken = new Promise<never>((_, reject) => {
        over.addEventListener('abort', () => reject(over.reason), { once: true });
      });
      broken.catch(() => {});
      const events = target.follow(open, messages, over)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await Promise.race([events.next(), broken]);
          if (next.done) return;
          await group.time.wait(2);
          over.throwIfAborted();
          yield next.value;
        }
      } finally {
        group.#looks.delete(look);
        ended.abort(gone());
        void events.return?.(undefined).catch(() => {});
      }
    };
    const methods = [
      'get',
      'list',
      'write',
      'create',
      'find',
      'namespaces',
      'rename',
      'remove',
      'moveHome',
      'removeMember',
      'report',
      'status',
      'members',
      'digest',
      'digestRange',
    ];
    return {
      ...Object.fromEntries(methods.map((name) => [name, call(name as keyof Peer)])),
      follow,
    } as unknown as Peer;
  }
}
