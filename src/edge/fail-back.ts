import { type Clock, sleep } from '../runtime/clock.ts';
import type { FeedRoute } from './feed-route.ts';
import type { NamedUpstream, Upstreams } from './upstreams.ts';

export interface FailBackTimes {
  /** Milliseconds between looks at the upstreams that are preferred to the one followed. */
  readonly lookMs: number;
  /** Milliseconds for which a preferred upstream must be ready at every look before scopes go back to it. */
  readonly steadyMs: number;
  /** The most of these milliseconds: they double each time that the upstream is lost again soon after. */
  readonly steadyMsMax: number;
}

export interface FailBackOptions extends FailBackTimes {
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** The routes of the live scopes. A scope that is scanning stays where it is: its progress holds there alone. */
  readonly routes: () => readonly FeedRoute[];
}

/**
 * Brings scopes back to an upstream that the list prefers, once it is up again and stays up. The cursor is a vector
 * over origins, so the scope goes on there from what it covers: nothing is scanned again.
 */
export class FailBack {
  readonly #options: FailBackOptions;
  readonly #readySinceMs = new Map<string, number>();
  readonly #steadyMs = new Map<string, number>();
  /** When scopes last went back to each upstream; removed when it was lost since. */
  readonly #wentBackMs = new Map<string, number>();

  constructor(options: FailBackOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#options.lookMs, signal);
      await this.look(signal);
    }
  }

  /** Looks at each upstream that some scope would rather follow. */
  async look(signal: AbortSignal): Promise<void> {
    const { upstreams, routes, clock, steadyMs } = this.#options;
    for (const candidate of upstreams.list) {
      const { name } = candidate;
      if (!routes().some((route) => route.prefers(candidate))) {
        this.#readySinceMs.delete(name);
        continue;
      }
      this.#countLoss(name);
      if (upstreams.isCoolingDown(candidate) || !(await this.#isReady(candidate, signal))) {
        this.#readySinceMs.delete(name);
        continue;
      }
      const nowMs = clock.monotonicMs();
      const sinceMs = this.#readySinceMs.get(name) ?? nowMs;
      this.#readySinceMs.set(name, sinceMs);
      if (nowMs - sinceMs < (this.#steadyMs.get(name) ?? steadyMs)) continue;
      this.#wentBackMs.set(name, nowMs);
      this.#readySinceMs.delete(name);
      for (const route of routes()) if (route.prefers(candidate)) route.leave();
    }
  }

  /** Scopes went back to this upstream and follow another one again: next time it has to be up for longer. */
  #countLoss(name: string): void {
    const { clock, steadyMs, steadyMsMax } = this.#options;
    const wentBackMs = this.#wentBackMs.get(name);
    if (wentBackMs === undefined) return;
    this.#wentBackMs.delete(name);
    const lasted = clock.monotonicMs() - wentBackMs > steadyMsMax;
    this.#steadyMs.set(name, lasted ? steadyMs : Math.min(steadyMsMax, (this.#steadyMs.get(name) ?? steadyMs) * 2));
  }

  #isReady({ upstream }: NamedUpstream, signal: AbortSignal): Promise<boolean> {
    const { clock, lookMs } = this.#options;
    return upstream.status({ deadlineMs: clock.monotonicMs() + lookMs, signal }).then(
      ({ ready }) => ready,
      () => false,
    );
  }
}
