/** Milliseconds of the wall clocks of all origins, ahead of the time of the simulation: how far one was behind, or ahead, at most. */
export interface Skews {
  readonly least: number;
  readonly most: number;
}

interface Step {
  readonly atMs: number;
  readonly skewMs: number;
}

/** What the wall clocks of the origins showed, at any time: expiry is judged by them, and by nobody else's. */
export class OriginClocks {
  readonly #steps = new Map<string, Step[]>();

  stepped(origin: string, skewMs: number, atMs: number): void {
    const steps = this.#steps.get(origin) ?? [];
    this.#steps.set(origin, steps);
    steps.push({ atMs, skewMs });
  }

  /** Between these two moments. */
  between(fromMs: number, toMs: number): Skews {
    let [least, most] = [0, 0];
    for (const steps of this.#steps.values()) {
      steps.forEach(({ atMs, skewMs }, index) => {
        const endedMs = steps[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
        if (atMs > toMs || endedMs < fromMs) return;
        least = Math.min(least, skewMs);
        most = Math.max(most, skewMs);
      });
    }
    return { least, most };
  }
}
