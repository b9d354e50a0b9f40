import type { ComponentChildren } from 'preact';
import { Refused } from './ask-node.ts';

/** Milliseconds as people read them; an unknown is said as such, and never as 0. */
export function msText(ms: number | undefined): string {
  if (ms === undefined) return 'unknown';
  if (ms < 1) return '< 1 ms';
  if (ms < 10_000) return `${Math.round(ms).toLocaleString('en')} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

/** A proven bound: at most this old. */
export function boundText(ms: number | undefined): string {
  return ms === undefined || ms < 1 ? msText(ms) : `≤ ${msText(ms)}`;
}

export function shareText(share: number | undefined): string {
  return share === undefined ? 'unknown' : `${(share * 100).toFixed(1)} %`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Seconds since 1970 as the reader's own clock shows it. */
export function timeText(seconds: number | undefined): string {
  return seconds === undefined ? 'never' : new Date(seconds * 1000).toLocaleString();
}

/** A value that may be unknown, told apart by more than its colour. */
export function Known({ text }: { readonly text: string }) {
  return <span class={text === 'unknown' ? 'unknown' : undefined}>{text}</span>;
}

/** What went wrong, read out at once. */
export function Trouble({ error }: { readonly error: unknown }) {
  if (error === undefined) return null;
  const message = error instanceof Error ? error.message : String(error);
  const title = error instanceof Refused ? titleOf(error) : undefined;
  return (
    <p class="trouble" role="alert">
      {title === undefined ? null : <strong>{title} </strong>}
      {message}
    </p>
  );
}

/** Of all that may stand in the way of a request, a key that somebody else wrote meanwhile is told apart. */
function titleOf({ code, details }: Refused): string | undefined {
  return details.reason === 'condition-not-met' ? 'Changed meanwhile.' : titles[code];
}

const titles: Partial<Record<Refused['code'], string>> = {
  PERMISSION_DENIED: 'Not permitted.',
  UNAUTHENTICATED: 'Not signed in.',
  UNREACHABLE: 'No answer.',
  FAILED_PRECONDITION: 'Not possible now.',
  UNAVAILABLE: 'Not available now.',
  RESOURCE_EXHAUSTED: 'Too much at once.',
};

/** A part of the page under a heading of its own. */
export function Card({
  title,
  note,
  children,
}: {
  readonly title: string;
  readonly note?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="card" aria-label={title}>
      <h2>{title}</h2>
      {note === undefined ? null : <p class="note">{note}</p>}
      {children}
    </section>
  );
}

/** A table that scrolls by itself where the screen is narrow, by keyboard too. */
export function Table({
  label,
  head,
  rows,
}: {
  readonly label: string;
  readonly head: readonly string[];
  readonly rows: ReadonlyArray<readonly ComponentChildren[]>;
}) {
  return (
    <section class="scrolls" aria-label={`Table: ${label}`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, column) => (
                <td key={head[column]} data-head={head[column]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
