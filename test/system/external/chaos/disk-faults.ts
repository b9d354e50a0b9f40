import type { NodeStatus } from '../../../../src/model/cluster.ts';
import type { SeededRandom } from '../../../support/seeded-random.ts';
import type { ChaosCluster, Image } from './chaos-cluster.ts';
import type { Loss } from './chaos-judge.ts';
import { logOf, type WriteSeen, writeOne } from './chaos-load.ts';

/** What `/status` says. */
export interface StatusJson extends Pick<NodeStatus, 'ready' | 'log' | 'unsealed' | 'peers' | 'notes'> {
  readonly id: string;
  readonly uptimeSeconds: number;
  readonly scopes: ReadonlyArray<{
    readonly kind: string;
    readonly covered: Readonly<Record<string, number>>;
    readonly stable: Readonly<Record<string, number>>;
  }>;
}

/** Undefined where the node does not answer. */
export async function statusOf(cluster: ChaosCluster, name: string): Promise<StatusJson | undefined> {
  try {
    const response = await fetch(`${cluster.httpOf(name)}/status`, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? ((await response.json()) as StatusJson) : undefined;
  } catch {
    return undefined;
  }
}

/** Images that are kept of each origin's disk. */
const imagesMax = 3;
/** Milliseconds until one of two processes that run as one member has ended. */
const noticeMsMax = 60_000;
/** Milliseconds until an origin has all that the others have, and its past is sealed. */
const recoverMsMax = 90_000;
const lookMs = 200;
/** As docs/operations.md says. */
const replacedExitCode = 4;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * What befalls the disks of origins, one after another: an older image is put back, or a second process runs over a copy.
 * Before the next one the origin has all again that the others have, so that never two disks are lost at once.
 */
export class DiskFaults {
  readonly losses: Loss[] = [];
  readonly counts = { images: 0, putBack: 0, copyOpenedLater: 0, copyOpenedEarlier: 0 };
  readonly violations: string[] = [];
  /** What befell whom, and how long it took to recover. */
  readonly story: string[] = [];
  /** What was written at a copy, which is gone. */
  readonly written: WriteSeen[] = [];
  readonly #cluster: ChaosCluster;
  readonly #random: SeededRandom;
  readonly #origins: readonly string[];
  readonly #images: Image[] = [];
  /** How far each origin was ever seen to hold each log. Whoever lost it since had it again before the next disk was lost. */
  readonly #held = new Map<string, Map<string, number>>();
  #underWay = false;

  constructor(cluster: ChaosCluster, random: SeededRandom, origins: readonly string[]) {
    this.#cluster = cluster;
    this.#random = random;
    this.#origins = origins;
  }

  /** One is on, or its origin has yet to recover. */
  get underWay(): boolean {
    return this.#underWay;
  }

  /** `broken`: whom other faults have; who is in it is left alone. */
  async run(over: () => boolean, broken: Set<string>): Promise<void> {
    while (!over()) {
      await sleep(this.#random.between(500, 2500));
      const name = this.#random.pick(this.#origins);
      if (broken.has(name)) continue;
      broken.add(name);
      if (this.#random.chance(0.4)) await this.#takeOne(name);
      else {
        this.#underWay = true;
        const beganMs = Date.now();
        const what = await this.#befall(name);
        const openedMs = Date.now();
        broken.delete(name);
        await this.#recovered(name, openedMs);
        this.#underWay = false;
        this.story.push(
          `${beganMs} ${name} ${what}: ${openedMs - beganMs} ms, and ${Date.now() - openedMs} ms to recover`,
        );
      }
      broken.delete(name);
    }
  }

  /** Resolves once the origin is up again. */
  async #befall(name: string): Promise<string> {
    const image = this.#imageOf(name);
    if (image !== undefined && this.#random.chance(0.7)) return this.#putBack(image);
    return this.#random.chance(0.5) ? this.#copyOpenedLater(name, image) : this.#copyOpenedEarlier(name);
  }

  async #takeOne(name: string): Promise<void> {
    const isDown = this.#random.chance(0.3);
    if (isDown) await this.#cluster.kill(name);
    this.#takeImage(name);
    if (isDown) await this.#cluster.open(name);
  }

  #takeImage(name: string): Image {
    const image = this.#cluster.image(name);
    this.#images.push(image);
    this.counts.images++;
    // Not the new one, which is about to be used.
    const earlier = this.#images.filter((each) => each.of === name && each !== image);
    if (earlier.length >= imagesMax) this.#drop(this.#random.pick(earlier));
    return image;
  }

  #drop(image: Image): void {
    this.#images.splice(this.#images.indexOf(image), 1);
    this.#cluster.drop(image);
  }

  #imageOf(name: string): Image | undefined {
    const own = this.#images.filter(({ of }) => of === name);
    return own.length === 0 ? undefined : this.#random.pick(own);
  }

  async #putBack(image: Image): Promise<string> {
    const { of } = image;
    const member = await this.#memberOf(of);
    await this.#cluster.kill(of);
    const toMs = Date.now();
    const elsewhere = await this.#heldBesides(of);
    this.losses.push({ kind: 'lost', member, fromMs: image.atMs, toMs, elsewhere });
    this.#cluster.putBack(image);
    await this.#cluster.open(of);
    this.counts.putBack++;
    return `put back to an image ${toMs - image.atMs} ms old`;
  }

  /** The copy goes on, and the original stops; then the copy is taken away. */
  async #copyOpenedLater(name: string, older: Image | undefined): Promise<string> {
    const copy = this.#copyName(name);
    const image = older !== undefined && this.#random.chance(0.4) ? older : this.#takeImage(name);
    const member = await this.#memberOf(name);
    const fromMs = Date.now();
    await this.#cluster.openCopy(image, copy);
    const logs = await this.#logsOf(copy);
    const writing = this.#writeAt(copy);
    await this.#stopped(name, copy);
    // What the original wrote beyond the end that the copy gave its log is unseen until its disk is back.
    this.losses.push({ kind: 'hidden', member, fromMs: image.atMs, toMs: Date.now(), elsewhere: new Map() });
    await writing;
    await this.#takeAway(copy, { name, member, fromMs, logs });
    await this.#cluster.kill(name);
    await this.#cluster.open(name);
    this.counts.copyOpenedLater++;
    return `ran beside a later copy of an image ${fromMs - image.atMs} ms old`;
  }

  /** The original goes on, as it is opened after the copy. */
  async #copyOpenedEarlier(name: string): Promise<string> {
    const copy = this.#copyName(name);
    const member = await this.#memberOf(name);
    await this.#cluster.kill(name);
    const image = this.#takeImage(name);
    const fromMs = Date.now();
    await this.#cluster.openCopy(image, copy);
    const logs = await this.#logsOf(copy);
    const writing = this.#writeAt(copy);
    await sleep(this.#random.between(0, 2000));
    await this.#cluster.open(name);
    await this.#stopped(copy, name);
    await writing;
    await this.#takeAway(copy, { name, member, fromMs, logs });
    this.counts.copyOpenedEarlier++;
    return 'ran beside an earlier copy';
  }

  #copyName(name: string): string {
    const { copyOpenedLater, copyOpenedEarlier } = this.counts;
    return `${name}-copy-${copyOpenedLater + copyOpenedEarlier + 1}`;
  }

  async #takeAway(
    copy: string,
    {
      name,
      member,
      fromMs,
      logs,
    }: Pick<Loss, 'member' | 'fromMs'> & { readonly name: string; readonly logs: Set<string> },
  ): Promise<void> {
    // It may have begun anew, and opened another log.
    for (const log of await this.#logsOf(copy)) logs.add(log);
    for (const { at, written } of this.written)
      if (at === copy && written !== undefined) logs.add(logOf(written.version));
    await this.#cluster.kill(copy);
    const toMs = Date.now();
    const elsewhere = await this.#heldBesides(name);
    this.losses.push({ kind: 'lost', member, fromMs, toMs, logs, elsewhere });
    await this.#cluster.forget(copy);
  }

  /** Waits until the earlier of two has ended by itself, with the code that says so, and the later one goes on. */
  async #stopped(earlier: string, later: string): Promise<void> {
    const until = Date.now() + noticeMsMax;
    while (this.#cluster.exitCode(earlier) === undefined && Date.now() < until) await sleep(lookMs);
    const codes = [earlier, later].map((name) => this.#cluster.exitCode(name));
    if (codes[0] !== replacedExitCode || codes[1] !== undefined) {
      this.violations.push(`${earlier} ended with ${codes[0]}, and ${later}, opened later, with ${codes[1]}`);
    }
  }

  /** What somebody writes who reaches the copy. */
  async #writeAt(copy: string): Promise<void> {
    const handle = this.#cluster.connect(copy, 8_000);
    for (let i = 0; i < 6; i++) {
      const [key, startedMs] = [`at-${copy}-${i}`, Date.now()];
      const durability = i % 2 === 0 ? 'majority' : 'local';
      try {
        const written = await writeOne(
          handle,
          { kind: 'put', key, value: key },
          { durability, durabilityTimeoutMs: 5_000 },
        );
        this.written.push({ kind: 'put', key, at: copy, startedMs, endedMs: Date.now(), written });
      } catch {
        // It ends, or is taken away.
      }
      await sleep(100);
    }
    handle.close();
  }

  async #memberOf(name: string): Promise<string> {
    for (;;) {
      const status = await statusOf(this.#cluster, name);
      if (status !== undefined) return status.id;
      await sleep(lookMs);
    }
  }

  async #logsOf(name: string): Promise<Set<string>> {
    const log = (await statusOf(this.#cluster, name))?.log;
    return new Set(log === undefined ? [] : [log]);
  }

  /** Looks at what the origins hold, from time to time. */
  async watch(over: () => boolean): Promise<void> {
    while (!over()) {
      await this.#look();
      await sleep(500);
    }
  }

  async #look(): Promise<void> {
    for (const name of this.#origins) {
      const held = this.#held.get(name) ?? new Map<string, number>();
      this.#held.set(name, held);
      for (const { covered } of (await statusOf(this.#cluster, name))?.scopes ?? []) {
        for (const [log, sequence] of Object.entries(covered)) held.set(log, Math.max(held.get(log) ?? 0, sequence));
      }
    }
  }

  /** How far the disks of other origins hold each log. */
  async #heldBesides(name: string): Promise<Map<string, number>> {
    await this.#look();
    const most = new Map<string, number>();
    for (const [other, held] of this.#held) {
      if (other === name) continue;
      for (const [log, sequence] of held) most.set(log, Math.max(most.get(log) ?? 0, sequence));
    }
    return most;
  }

  /** Waits until the origin has heard from all others since, and has sealed its past: it holds what they hold. */
  async #recovered(name: string, openedMs: number): Promise<void> {
    const others = this.#origins.filter((other) => other !== name);
    const until = openedMs + recoverMsMax;
    let last: StatusJson | undefined;
    while (Date.now() < until) {
      const askedMs = Date.now();
      last = (await statusOf(this.#cluster, name)) ?? last;
      const heard = (other: string) =>
        last?.peers?.some(({ name: peer, boundMs }) => peer === other && (boundMs ?? Infinity) < askedMs - openedMs);
      if (last?.ready && last.unsealed?.length === 0 && others.every(heard)) return;
      await sleep(lookMs);
    }
    const { ready, unsealed, peers, notes } = last ?? {};
    this.violations.push(`${name} has not recovered: ${JSON.stringify({ ready, unsealed, peers, notes })}`);
  }
}
