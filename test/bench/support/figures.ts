import { median } from './percentiles.ts';

export interface Target {
  readonly what: string;
  /** Of the runs' figures, each against the peer of the same run. */
  readonly figures: readonly number[];
  readonly least?: number;
  readonly most?: number;
  readonly unit?: string;
}

interface Judged extends Target {
  readonly unit: string;
  /** Undefined where there are no figures. */
  readonly isHeld: boolean | undefined;
}

/** Samples of several runs by name, printed as medians with their spread, and what they come to beside the targets. */
export class Figures {
  readonly #rows = new Map<string, { readonly unit: string; readonly samples: number[] }>();
  readonly #judged: Judged[] = [];

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
  judge(wanted: Target): void {
    const { what, figures, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, unit = '×' } = wanted;
    const middle = figures.length === 0 ? undefined : median(figures);
    const judged = { ...wanted, unit, isHeld: middle === undefined ? undefined : middle >= least && middle <= most };
    this.#judged.push(judged);
    const target = targetText(judged);
    if (judged.isHeld === undefined) console.log(`  no peer    ${what}: not measured (target: ${target})`);
    else console.log(`  ${judged.isHeld ? 'held  ' : 'MISSED'} ${line(what, figures, unit)}   target: ${target}`);
  }

  /** All that was added and judged, as tables. */
  markdown(): string {
    const targets = this.#judged.map(({ isHeld, ...judged }) => {
      const { what, figures, unit } = judged;
      const measured = isHeld === undefined ? 'no peer | ' : `${round(median(figures))} ${unit} | ${spread(figures)}`;
      return `| ${what} | ${targetText(judged)} | ${measured} | ${isHeld === undefined ? 'not measured' : isHeld ? 'held' : 'missed'} |`;
    });
    const rows = [...this.#rows].map(
      ([name, { unit, samples }]) => `| ${name} | ${round(median(samples))} ${unit} | ${spread(samples)} |`,
    );
    const judged = ['| target | | median | least and most | |', '|---|---|---|---|---|', ...targets, ''];
    const measured = ['| what | median | least and most |', '|---|---|---|', ...rows, ''];
    return [...(targets.length === 0 ? [] : judged), ...measured].join('\n');
  }
}

function targetText({ least, most, unit }: Omit<Judged, 'isHeld'>): string {
  return `${least === undefined ? `at most ${most}` : `at least ${least}`} ${unit}`;
}

function line(name: string, samples: readonly number[], unit: string): string {
  return `${name.padEnd(58)} ${round(median(samples)).padStart(9)} ${unit}   (${spread(samples)})`;
}

function spread(samples: readonly number[]): string {
  return `${round(Math.min(...samples))} to ${round(Math.max(...samples))}`;
}

function round(figure: number): string {
  return Math.abs(figure) >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}
