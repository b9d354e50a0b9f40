import type { Options, SingleBar } from 'cli-progress';
import type { Terminal } from '../terminal.ts';

/** How far something is, for a person who watches. */
export interface Progress {
  at(done: number, records: number): void;
  /** Leaves the bar as it stands, with the last numbers that it was told, and ends its line. */
  stop(): void;
}

/** Where a bar is drawn. Default: standard error. */
type Drawing = Pick<Options, 'stream' | 'noTTYOutput'>;

/** A bar on standard error where a person sees it, else nothing: logs are not for bars. */
export async function showProgress(
  terminal: Pick<Terminal, 'interactive'>,
  title: string,
  total: number,
  drawing: Drawing = {},
): Promise<Progress> {
  if (!terminal.interactive) return { at: () => {}, stop: () => {} };
  const { Presets, SingleBar } = await import('cli-progress');
  const format = `${title} {bar} {percentage} % | {records} records | {duration_formatted}`;
  const bar = new SingleBar({ format, hideCursor: true, etaBuffer: 50, ...drawing }, Presets.shades_classic);
  return drawn(bar, Math.max(1, total));
}

/** A count that is told of records as they come. */
export interface RunningCount {
  readonly received: (records: number) => void;
  /** All that it was told of. */
  readonly total: () => number;
  stop(): void;
}

/** As `showCount`, where each batch is told by itself. */
export async function countRecords(terminal: Pick<Terminal, 'interactive'>, title: string): Promise<RunningCount> {
  const progress = await showCount(terminal, title);
  let total = 0;
  const received = (records: number) => {
    total += records;
    progress.at(total, total);
  };
  return { received, total: () => total, stop: () => progress.stop() };
}

/** As `showProgress`, where nobody knows the end. */
export async function showCount(
  terminal: Pick<Terminal, 'interactive'>,
  title: string,
  drawing: Drawing = {},
): Promise<Progress> {
  if (!terminal.interactive) return { at: () => {}, stop: () => {} };
  const { SingleBar } = await import('cli-progress');
  const format = `${title} | {records} records | {duration_formatted}`;
  return drawn(new SingleBar({ format, hideCursor: true, ...drawing }), 0);
}

/** Drawn from when there is something to show, so that what is said before it stands on a line of its own. */
function drawn(bar: SingleBar, total: number): Progress {
  let isDrawn = false;
  return {
    at: (done, records) => {
      if (!isDrawn) bar.start(total, 0, { records: 0 });
      isDrawn = true;
      bar.update(done, { records });
    },
    stop: () => bar.stop(),
  };
}
