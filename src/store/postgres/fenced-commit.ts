import type { Clock } from '../../runtime/clock.ts';
import { type Fence, fenceStatement, type Slice, sliceStatement } from './commit-statement.ts';
import { numberOf, type SqlSession } from './sql-client.ts';
import { unconfirmed } from './writer-row.ts';

export interface Counted {
  /** Rows that counted the commit: 1, or 0 if the fence refused it. */
  readonly counted: number;
  /** When the counting statement was sent, in monotonic milliseconds: the lease runs from then. */
  readonly sentMs: number;
}

interface Commit {
  readonly schema: string;
  readonly clock: Clock;
  readonly fence: Fence;
  readonly store: number;
  /** At least one. */
  readonly slices: () => Generator<Slice, void>;
}

/** Writes a commit in one statement or, if that would be too large, in one transaction. */
export async function writeSlices(client: SqlSession, commit: Commit): Promise<Counted> {
  const all = commit.slices();
  const first = all.next();
  const second = all.next();
  if (first.done === true) throw new Error('a commit without a slice');
  const warned = client.warnings;
  const written =
    second.done === true
      ? await writeOne(client, commit, first.value)
      : await writeAll(client, commit, chain([first.value, second.value], all));
  if (written.counted === 1 && client.warnings !== warned) throw unconfirmed();
  return written;
}

async function writeOne(client: SqlSession, { schema, clock, fence, store }: Commit, slice: Slice): Promise<Counted> {
  const { statement, values } = sliceStatement(schema, { store, slice, fence });
  const sentMs = clock.monotonicMs();
  const [row] = await client.query(statement, values);
  return { counted: numberOf(row?.[0]), sentMs };
}

/** It counts last: until then the transaction locks nothing that a take-over needs, however long its process stalls. */
async function writeAll(
  client: SqlSession,
  { schema, clock, fence, store }: Commit,
  slices: Iterable<Slice>,
): Promise<Counted> {
  try {
    await client.query({ text: 'BEGIN' });
    for (const slice of slices) {
      const part = sliceStatement(schema, { store, slice, fence: undefined });
      await client.query(part.statement, part.values);
    }
    const { statement, values } = fenceStatement(schema, fence);
    const sentMs = clock.monotonicMs();
    const counted = (await client.query(statement, values)).length;
    await client.query({ text: counted === 1 ? 'COMMIT' : 'ROLLBACK' });
    return { counted, sentMs };
  } catch (error) {
    // A failed transaction must leave nothing open.
    await client.query({ text: 'ROLLBACK' }).catch(() => client.destroy());
    throw error;
  }
}

function* chain<T>(first: readonly T[], rest: Generator<T, void>): Generator<T, void> {
  yield* first;
  yield* rest;
}
