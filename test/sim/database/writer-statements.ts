import type { SqlValue, Statement } from '../../../src/store/postgres/sql-client.ts';
import { bufferOf, type Done, type Meaning, writerLock } from './meaning.ts';
import type { Tables, Writing } from './tables.ts';

/** What compares and changes the row of the writer (writer-row.ts). Undefined where this is another statement. */
export function writerStatement(
  { name, text }: Statement,
  values: readonly SqlValue[],
  nowMs: number,
): Meaning | undefined {
  if (name === 'writer') return { locks: [], run: ({ writer }) => ({ rows: [columns(writer, nowMs)] }) };
  if (text.includes('commits = commits + 1')) return counts(text, values, nowMs);
  if (text.includes('SET lease = $1')) return takes(text, values, nowMs);
  if (name === 'renew') return renews(values, nowMs);
  if (text.includes("SET holder = ''")) return releases(values, nowMs);
  return undefined;
}

/** True where the statement's words let the commit count. */
export function isFenced(text: string, [lease, commits]: readonly SqlValue[], { writer }: Tables): boolean {
  const isMine = !/lease = \$/.test(text) || writer.lease === bufferOf(lease).toString('hex');
  return isMine && (!/commits = \$/.test(text) || writer.commits === commits);
}

export function counted(tables: Tables, [, , leaseMs]: readonly SqlValue[], nowMs: number): Tables {
  const { writer } = tables;
  return { ...tables, writer: { ...writer, commits: writer.commits + 1, untilMs: nowMs + Number(leaseMs) } };
}

function counts(text: string, values: readonly SqlValue[], nowMs: number): Meaning {
  const run = (tables: Tables): Done => {
    if (!isFenced(text, values, tables)) return { rows: [] };
    const change = (now: Tables) => {
      const next = counted(now, values, nowMs);
      return values.length < 4 ? next : { ...next, writer: { ...next.writer, stores: String(values[3]) } };
    };
    return { rows: [['1']], change, counts: true };
  };
  return { locks: [writerLock], run };
}

function takes(text: string, [lease, holder, address, leaseMs, expected]: readonly SqlValue[], nowMs: number): Meaning {
  const next = bufferOf(lease).toString('hex');
  return updates(({ writer }) => {
    const isSo = text.includes('lease = $5')
      ? writer.lease === bufferOf(expected).toString('hex')
      : markOf(writer) === expected;
    if (writer.lease !== next && !isSo) return undefined;
    const taken = { lease: next, holder: String(holder), address: String(address), untilMs: nowMs + Number(leaseMs) };
    return { next: { ...writer, ...taken }, row: [`${writer.commits}`, writer.stores] };
  });
}

function renews([lease, leaseMs]: readonly SqlValue[], nowMs: number): Meaning {
  return updates(({ writer }) => {
    if (writer.lease !== bufferOf(lease).toString('hex')) return undefined;
    return { next: { ...writer, untilMs: nowMs + Number(leaseMs) }, row: [`${writer.commits}`] };
  });
}

function releases([lease]: readonly SqlValue[], nowMs: number): Meaning {
  return updates(({ writer }) => {
    if (writer.lease !== bufferOf(lease).toString('hex')) return undefined;
    return { next: { ...writer, holder: '', address: '', untilMs: nowMs }, row: [] };
  });
}

function updates(next: (tables: Tables) => { next: Writing; row: string[] } | undefined): Meaning {
  const run = (tables: Tables): Done => {
    const made = next(tables);
    if (made === undefined) return { rows: [] };
    return { rows: [made.row], change: (now) => ({ ...now, writer: made.next }) };
  };
  return { locks: [writerLock], run };
}

function markOf({ lease, commits, untilMs }: Writing): string {
  return `${lease} ${commits} ${untilMs}`;
}

function columns(writer: Writing, nowMs: number): string[] {
  const { lease, commits, holder, address, untilMs } = writer;
  return [lease, `${commits}`, holder, address, `${Math.round(untilMs - nowMs)}`, markOf(writer)];
}
