import type { HotKey } from '../model/cluster.ts';
import { mapKey, splitMapKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { SpaceSaving } from '../runtime/space-saving.ts';

const bounds = {
  windowMs: 10_000,
  /** Together the last minute. */
  windowsMax: 6,
  /** Counters of a window; a key with more than a hundredth of its reads is sure to have one. */
  countersMax: 100,
  /** Each time that a window has this many more samples, half as many are taken from then on. */
  samplesAtOneRate: 4096,
  /** At least one read in this many is sampled. */
  rarest: 1024,
} as const;

interface Window {
  readonly beganMs: number;
  readonly reads: SpaceSaving;
  samples: number;
}

/** Told of reads as they are answered. */
export interface ReadCounter {
  read(namespace: NamespaceId, key: string): void;
}

/**
 * The keys that were read most often in the last minute, in bounded memory. A hit costs one decrement: reads are sampled,
 * all of them while there are few, one of up to 1,024 while there are many, and each sample counts for as many reads as it
 * stands for. The distance between samples is drawn anew each time, so that no pattern of reads can hide between them.
 */
export class HotKeys implements ReadCounter {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #random: Pick<Random, 'fraction'>;
  #windows: Window[] = [];
  /** Reads until the next sample, and between samples on average. */
  #left = 1;
  #every = 1;

  constructor({
    clock,
    random,
  }: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly random: Pick<Random, 'fraction'> }) {
    this.#clock = clock;
    this.#random = random;
  }

  read(namespace: NamespaceId, key: string): void {
    if (--this.#left > 0) return;
    const window = this.#windowOf(this.#clock.monotonicMs());
    window.reads.add(mapKey(namespace, key), this.#every);
    window.samples++;
    if (window.samples % bounds.samplesAtOneRate === 0) this.#every = Math.min(this.#every * 2, bounds.rarest);
    this.#left = this.#distance();
  }

  /** The keys of the last minute that are surely hot, the hottest first: more than half of each count is certain. */
  top(titleOf: (namespace: NamespaceId) => string | undefined): readonly HotKey[] {
    this.#windowOf(this.#clock.monotonicMs());
    const sketches = this.#windows.map(({ reads }) => ({ reads, uncountedMax: reads.uncountedMax }));
    const names = new Set(sketches.flatMap(({ reads }) => [...reads.names()]));
    return [...names]
      .map((name) => countedIn(sketches, name))
      .filter(({ reads, error }) => reads > 2 * error)
      .sort((a, b) => b.reads - a.reads || (a.name < b.name ? -1 : 1))
      .slice(0, bounds.countersMax)
      .map(({ name, ...counted }) => {
        const { namespace, key } = splitMapKey(name);
        return { namespace, title: titleOf(namespace) ?? '', key, ...counted };
      });
  }

  /** The window of now. Windows older than a minute are dropped. */
  #windowOf(nowMs: number): Window {
    const last = this.#windows.at(-1);
    if (last !== undefined && nowMs < last.beganMs + bounds.windowMs) return last;
    const sinceMs = nowMs - bounds.windowMs * (bounds.windowsMax - 1);
    const window = { beganMs: nowMs, reads: new SpaceSaving(bounds.countersMax), samples: 0 };
    this.#windows = [...this.#windows.filter(({ beganMs }) => beganMs >= sinceMs), window];
    const isQuiet = (last?.samples ?? 0) < bounds.samplesAtOneRate / 2;
    if (isQuiet && this.#every > 1) {
      this.#every = Math.max(1, this.#every / 4);
      this.#left = Math.min(this.#left, this.#distance());
    }
    return window;
  }

  #distance(): number {
    if (this.#every === 1) return 1;
    return 1 + Math.floor(this.#random.fraction() * (2 * this.#every - 1));
  }
}

interface Sketch {
  readonly reads: SpaceSaving;
  readonly uncountedMax: number;
}

/** Over all windows: where a window has no counter of it, it may have been read as often as the smallest one there. */
function countedIn(sketches: readonly Sketch[], name: string) {
  let [reads, tooMany, tooFew] = [0, 0, 0];
  for (const sketch of sketches) {
    const counted = sketch.reads.get(name);
    reads += counted?.count ?? 0;
    tooMany += counted?.error ?? 0;
    if (counted === undefined) tooFew += sketch.uncountedMax;
  }
  return { name, reads, error: Math.max(tooMany, tooFew) };
}
