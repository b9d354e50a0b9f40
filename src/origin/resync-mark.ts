import type { Clock } from '../runtime/clock.ts';

/**
 * Which sweeps of this origin's store are under way or were interrupted (rule R21). While there is one, the origin serves
 * no feed: what a sweep removes goes without a trace, so nobody may have followed in between. Each replica keeps its own
 * mark on disk; here they are put together. A sweep whose peer is away is taken over by whoever ends one of its own: that
 * peer may be sweeping itself, and wait for this origin.
 */
export class ResyncMark {
  readonly #sweeping = new Set<string>();
  readonly #connected = new Set<string>();
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #changed: (sweeping: boolean) => void;
  #abandonedAtMs: number | undefined;

  /** `changed` is called when the first sweep begins and when the last has ended. */
  constructor(clock: Pick<Clock, 'monotonicMs'>, changed: (sweeping: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get active(): boolean {
    return this.#sweeping.size > 0;
  }

  /** Where those peers are reached with whom a sweep did not end. */
  get sweeping(): ReadonlySet<string> {
    return this.#sweeping;
  }

  begin(address: string): void {
    this.#change(() => this.#sweeping.add(address));
  }

  end(address: string): void {
    this.#change(() => {
      if (!this.#sweeping.delete(address)) return;
      for (const other of this.#sweeping) if (!this.#connected.has(other)) this.#sweeping.delete(other);
    });
  }

  /** There is nobody any more to end a sweep with: what this origin holds is all that there is. */
  endAll(): void {
    this.#change(() => this.#sweeping.clear());
  }

  connected(address: string): void {
    this.#change(() => this.#connected.add(address));
  }

  disconnected(address: string): void {
    this.#change(() => this.#connected.delete(address));
  }

  /** Milliseconds for which no sweep that did not end has had a peer to go on with. */
  get abandonedMs(): number {
    return this.#abandonedAtMs === undefined ? 0 : this.#clock.monotonicMs() - this.#abandonedAtMs;
  }

  /** True where this replica is to begin anew: its own sweep, or that of a peer that is away, did not end. */
  concerns(address: string): boolean {
    return [...this.#sweeping].some((sweeping) => sweeping === address || !this.#connected.has(sweeping));
  }

  #change(change: () => void): void {
    const was = this.active;
    change();
    const abandoned = this.active && [...this.#sweeping].every((address) => !this.#connected.has(address));
    this.#abandonedAtMs = abandoned ? (this.#abandonedAtMs ?? this.#clock.monotonicMs()) : undefined;
    if (was !== this.active) this.#changed(this.active);
  }
}
