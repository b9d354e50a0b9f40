import { median } from './percentiles.ts';

export interface Target {
  readonly what: string;
  /** Of the runs' figures, each against the peer of the same run. */
  readonly figures: readonly number[];
  readonly least?: number;
  readonly most?: number;
  readonly unit?: string;
}

/** Samples of several runs by name, printed as medians with their spread, and what they come to beside the targets. */
export class Figures {
  readonly #rows = new Map<string, { readonly unit: string; readonly samples: number[] }>();

  add(name: string, unit: string, sample: number): void {
    const row = this.#rows.get(name) ?? { unit, samples: [] };
    this.#rows.set(name, row);
    row.samples.push(sample);
  }

  samples(name: string): readonly number[] {
    return this.#rows.get(name)?.samples ?? [];
  }

  /** One run's figure by another's, run for run. */
  ratios(name: string, by: string): readonly number[] {
    const peers = this.samples(by);
    return this.samples(name).flatMap((sample, run) => (peers[run] === undefined ? [] : [sample / peers[run]]));
  }

  print(): void {
    for (const [name, { unit, samples }] of this.#rows) console.log(line(name, samples, unit));
  }

  /** Beside its target, and said as a miss where it is one. A target whose peer is not installed has no figures. */
  judge({ what, figures, least, most, unit = '×' }: Target): void {
    const target = least === undefined ? `at most ${most}` : `at least ${least}`;
    if (figures.length === 0) {
      console.log(`  no peer    ${what}: not measured (target: ${target} ${unit})`);
      return;
    }
    const middle = median(figures);
    const held = middle >= (least ?? Number.NEGATIVE_INFINITY) && middle <= (most ?? Number.POSITIVE_INFINITY);
    console.log(`  ${held ? 'held  ' : 'MISSED'} ${line(what, figures, unit)}   target: ${target} ${unit}`);
  }
}

function line(name: string, samples: readonly number[], unit: string): string {
  const [least, most] = [Math.min(...samples), Math.max(...samples)];
  return `${name.padEnd(58)} ${round(median(samples)).padStart(9)} ${unit}   (${round(least)} to ${round(most)})`;
}

function round(figure: number): string {
  return Math.abs(figure) >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}
