import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from '../terminal.ts';

/** How far something is, for a person who watches. */
export interface Progress {
  at(done: number, records: number): void;
  stop(): void;
}

/** A bar on standard error where a person sees it, else nothing: logs are not for bars. */
export function showProgress(terminal: Terminal, title: string, total: number): Progress {
  if (!terminal.interactive) return { at: () => {}, stop: () => {} };
  const format = `${title} {bar} {percentage} % | {records} records | {duration_formatted}`;
  const bar = new SingleBar({ format, hideCursor: true, etaBuffer: 50 }, Presets.shades_classic);
  bar.start(Math.max(1, total), 0, { records: 0 });
  return { at: (done, records) => bar.update(done, { records }), stop: () => bar.stop() };
}

/** As `showProgress`, where nobody knows the end. */
export function showCount(terminal: Terminal, title: string): Progress {
  if (!terminal.interactive) return { at: () => {}, stop: () => {} };
  const bar = new SingleBar({ format: `${title} | {value} records | {duration_formatted}`, hideCursor: true });
  bar.start(0, 0);
  return { at: (done) => bar.update(done), stop: () => bar.stop() };
}
