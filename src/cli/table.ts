import { shownText } from './shown-text.ts';

/** Rows under headings, in columns as wide as their widest cell. Ends with a line feed. */
export function table(headings: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  // Nodes call themselves what they like, and say so in their own words.
  const lines = [headings, ...rows.map((row) => row.map(shownText))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
