import { createHash } from 'node:crypto';
import type { GetAnswer } from '../../src/model/key-value.ts';
import type { Record } from '../../src/model/record.ts';
import { emptySession, type Session, sessionAfterAbsence, sessionAfterRecord } from '../../src/model/session.ts';
import type { Stamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { EdgeProcess, OriginProcess } from './cluster.ts';
import { injectFault } from './faults.ts';
import { type Attempt, History } from './history.ts';

/** Milliseconds of virtual time. */
const busyMs = 2500;
const quietMs = 3500;
const opIntervalMs = 10;
const callMs = 600;

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  /** Equal for two runs of one seed. */
  readonly hash: string;
  /** Answers that were checked. */
  readonly answers: number;
}

interface Client {
  session: Session;
  readonly seen: Map<string, Stamp>;
}

/** One origin, a copy of everything, a copy of a prefix and a cache, under faults, then in quiet. */
export class Simulation {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly history = new History();
  readonly origin: OriginProcess;
  readonly edges: readonly EdgeProcess[];
  readonly #seed: number;
  readonly #keys: readonly string[];
  readonly #clients: readonly Client[];
  #answers = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = new SeededRandom(seed);
    const { time, random } = this;
    this.origin = new OriginProcess(time, random);
    const origin = this.origin;
    this.edges = [
      new EdgeProcess(time, random, { name: 'copy', replicate: ['*'], origin }),
      new EdgeProcess(time, random, { name: 'mixed', replicate: ['ns/a*'], origin }),
      new EdgeProcess(time, random, { name: 'cache', replicate: [], origin }),
    ];
    this.#keys = Array.from({ length: random.between(4, 11) }, (_, i) => `${i % 2 === 0 ? 'a' : 'b'}${i}`);
    this.#clients = Array.from({ length: 3 }, () => ({ session: emptySession, seen: new Map() }));
  }

  async run(): Promise<Outcome> {
    void this.#begin();
    await this.time.runUntil(100);
    let faultAtMs = 100;
    for (let nowMs = 100; nowMs < busyMs; nowMs += opIntervalMs) {
      if (nowMs >= faultAtMs) {
        injectFault(this);
        faultAtMs = nowMs + this.random.between(40, 500);
      }
      void this.#operate();
      await this.time.runUntil(nowMs + opIntervalMs);
    }
    await this.time.runUntil(busyMs + quietMs);
    await this.#settled();
    for (const process of [this.origin, ...this.edges]) process.crash();
    const { violations, trace } = this.history;
    const hash = createHash('sha256').update(trace.join('\n')).digest('hex');
    return { seed: this.#seed, violations, trace, hash, answers: this.#answers };
  }

  async #begin(): Promise<void> {
    await this.origin.start();
    await this.origin.running?.node.create('ns');
    for (const edge of this.edges) void edge.start();
  }

  #call() {
    return { deadlineMs: this.time.nowMs + callMs, signal: new AbortController().signal };
  }

  async #operate(): Promise<void> {
    const { random, edges, origin } = this;
    const at = random.between(0, edges.length);
    const node: Upstream | undefined = at === edges.length ? origin.running?.node : edges[at]?.running?.node;
    const where = edges[at]?.name ?? 'origin';
    const key = this.#keys[random.between(0, this.#keys.length - 1)] ?? 'a0';
    const client = this.#clients[random.between(0, this.#clients.length - 1)];
    const writes = random.chance(at === edges.length ? 0.8 : 0.15);
    const draws = [random.fraction(), random.fraction(), random.between(0, 600)] as const;
    if (node === undefined || client === undefined) return;
    try {
      if (writes) await this.#write(node, { where, key, client, draws });
      else await this.#read(node, { where, key, client, draws });
    } catch (error) {
      this.history.note(this.time.nowMs, `${where} ${key} failed: ${(error as Error).message}`);
    }
  }

  async #write(node: Upstream, { where, key, client, draws }: Operation): Promise<void> {
    const number = this.history.attempts.length;
    const text = draws[0] < 0.3 ? undefined : `${number}${'x'.repeat(number % 2 === 0 ? 0 : 8)}`;
    const attempt: Attempt = { key, ...(text === undefined ? {} : { text }), expires: draws[1] < 0.25 };
    this.history.attempts.push(attempt);
    const expiry = attempt.expires ? { expiry: { kind: 'in' as const, seconds: 1 } } : {};
    const mutation =
      text === undefined
        ? { kind: 'delete' as const, key }
        : { kind: 'put' as const, key, value: Buffer.from(text), ...expiry };
    const answer = await node.write({ namespace: 'ns', mutations: [mutation], session: client.session }, this.#call());
    const written = answer.written[0];
    if (written === undefined) throw new Error('a write was answered without a position');
    attempt.stamp = written.stamp;
    attempt.ackedMs = this.time.nowMs;
    client.session = sessionAfterRecord(client.session, written.position, written.stamp);
    saw(client, key, written.stamp);
    this.history.note(this.time.nowMs, `${where} ${key} := ${text} at ${written.stamp} (${written.position.sequence})`);
  }

  async #read(node: Upstream, { where, key, client, draws }: Operation): Promise<void> {
    const required = client.seen.get(key);
    const wish = draws[0] < 0.5 ? { maxStalenessMs: draws[2] } : {};
    const answer = await node.get({ namespace: 'ns', key, session: client.session, ...wish }, this.#call());
    const nowMs = this.time.nowMs;
    this.#answers++;
    this.history.note(nowMs, `${where} ${key} = ${shown(answer.record)} ${answer.source} ${answer.bound?.boundMs}`);
    this.history.checkAnswer(nowMs, where, key, answer);
    if (!this.history.reflects(key, answer.record, required)) {
      this.history.violated(nowMs, `${where} ${key}: a session that saw ${required} was shown ${shown(answer.record)}`);
    }
    if (answer.record === undefined) client.session = sessionAfterAbsence(client.session, answer.covered);
    else {
      client.session = sessionAfterRecord(client.session, answer.record.position, answer.record.stamp);
      saw(client, key, answer.record.stamp);
    }
  }

  /** After the quiet: nothing acknowledged is lost, and every node answers as the origin does, with a bound. */
  async #settled(): Promise<void> {
    const wrong = (line: string) => this.history.violated(this.time.nowMs, `after the quiet ${line}`);
    for (const key of this.#keys) {
      const held = await this.#final(this.origin.running?.node, key);
      if (held === undefined) {
        wrong(`the origin does not answer for ${key}`);
        continue;
      }
      const latest = this.history.latest(key);
      if (!this.history.reflects(key, held.record, latest)) wrong(`the origin lost ${key} at ${latest}`);
      for (const edge of this.edges) {
        const answer = await this.#final(edge.running?.node, key);
        if (answer === undefined) wrong(`${edge.name} does not answer for ${key}`);
        else if (readable(answer) !== readable(held)) {
          wrong(`${edge.name} ${key} is ${shown(answer.record)}, at the origin ${shown(held.record)}`);
        } else if (answer.bound === undefined) wrong(`${edge.name} ${key} has no bound`);
      }
    }
  }

  async #final(node: Upstream | undefined, key: string): Promise<GetAnswer | undefined> {
    let answer: GetAnswer | undefined;
    const asked = node?.get({ namespace: 'ns', key, session: emptySession }, this.#call());
    asked?.then(
      (given) => {
        answer = given;
      },
      (error) => this.history.note(this.time.nowMs, `${key} failed: ${(error as Error).message}`),
    );
    for (let waitedMs = 0; answer === undefined && waitedMs < callMs; waitedMs += 20) {
      await this.time.runUntil(this.time.nowMs + 20);
    }
    return answer;
  }
}

interface Operation {
  readonly where: string;
  readonly key: string;
  readonly client: Client;
  readonly draws: readonly [number, number, number];
}

function saw({ seen }: Client, key: string, stamp: Stamp): void {
  if (stamp > (seen.get(key) ?? '')) seen.set(key, stamp);
}

function readable({ record }: GetAnswer): string {
  return record?.kind === 'live' ? `${record.stamp} ${Buffer.from(record.value)}` : 'absent';
}

function shown(record: Record | undefined): string {
  if (record === undefined) return 'nothing';
  return record.kind === 'live' ? `${record.stamp} ${Buffer.from(record.value)}` : `${record.stamp} deleted`;
}
