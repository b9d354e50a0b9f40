import type { Clock, Timer } from '../../src/runtime/clock.ts';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** One shared monotonic time. It moves only from event to event, and lets every promise settle before the next one. */
export class VirtualTime {
  #nowMs = 0;
  #order = 0;
  readonly #heap: Due[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  at(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run, cancelled: false };
    this.#push(due);
    return {
      cancel: () => {
        due.cancelled = true;
      },
    };
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.at(delayMs, resolve));
  }

  /** Runs what falls due up to and with this moment. */
  async runUntil(untilMs: number): Promise<void> {
    await settle();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      if (next.cancelled) continue;
      this.#nowMs = next.atMs;
      next.run();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let index = heap.push(due) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !earlier(due, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) break;
      let least = left;
      const right = heap[child + 1];
      if (right !== undefined && earlier(right, left)) {
        least = right;
        child++;
      }
      if (!earlier(least, last)) break;
      heap[index] = least;
      index = child;
    }
    heap[index] = last;
  }
}

/** A process's own view of the time. Once it is stopped nothing that the process had set fires any more. */
export class VirtualClock implements Clock {
  readonly #time: VirtualTime;
  #stopped = false;
  /** What fell due while the process stands still. */
  #held: Array<() => void> | undefined;
  /** Milliseconds by which the wall clock is off. */
  skewMs: number;

  constructor(time: VirtualTime, skewMs = 0) {
    this.#time = time;
    this.skewMs = skewMs;
  }

  wallMs(): number {
    return Math.floor(1_700_000_000_000 + this.#time.nowMs + this.skewMs);
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }

  timer(delayMs: number, run: () => void): Timer {
    let isCancelled = false;
    const fire = () => {
      if (this.#stopped || isCancelled) return;
      if (this.#held === undefined) run();
      else this.#held.push(fire);
    };
    const timer = this.#time.at(delayMs, fire);
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** The process stands still: nothing fires, and time goes on. */
  hold(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const fire of held) this.#time.at(0, fire);
  }

  stop(): void {
    this.#stopped = true;
  }
}

/**
 * Every promise that can settle without time passing has settled when this resolves: Node runs a tick that a promise
 * asked for only once no promise is left to run, and that is far cheaper than a turn of the event loop.
 */
function settle(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function earlier(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
