import { type Fence, fenceStatement } from './commit-statement.ts';
import { numberOf, type SqlRow, type SqlSession, type SqlValue, type Statement, textOf } from './sql-client.ts';
import { decodeStores, encodeStores, type StoreNumbers } from './store-numbers.ts';

/** The one row of the table `writer`, and the statements that read and change it. `schema` is already quoted. */
export interface WriterRow {
  /** Hexadecimal digits. */
  readonly lease: string;
  readonly commits: number;
  /** The holder; empty = nobody: the lease was given back. */
  readonly holder: string;
  /** `host:port`; empty = nowhere. */
  readonly address: string;
  /** Milliseconds until the lease ends, by the clock of the database; 0 or less = it has ended. */
  readonly leftMs: number;
  /** Differs after each take-over, commit and renewal. */
  readonly mark: string;
}

/** Who holds the store, as the database says. */
export interface Holder {
  readonly holder: string;
  /** `host:port`; empty = nowhere. */
  readonly address: string;
  /** Milliseconds until another process may take over; 0 or less = now. */
  readonly leftMs: number;
}

/** What a take-over reads. */
export interface TakenRow {
  readonly commits: number;
  readonly stores: StoreNumbers;
}

const markText =
  "encode(lease, 'hex') || ' ' || commits::text || ' ' || (EXTRACT(EPOCH FROM until) * 1000000)::int8::text";

export async function readRow(client: SqlSession, schema: string): Promise<WriterRow> {
  const text =
    "SELECT encode(lease, 'hex'), commits, holder, address, " +
    `(EXTRACT(EPOCH FROM until - clock_timestamp()) * 1000)::int8, ${markText} FROM ${schema}.writer WHERE one = 1`;
  const [row] = await client.query({ name: 'writer', text }, []);
  return {
    lease: textOf(row?.[0]),
    commits: numberOf(row?.[1]),
    holder: textOf(row?.[2]),
    address: textOf(row?.[3]),
    leftMs: numberOf(row?.[4]),
    mark: textOf(row?.[5]),
  };
}

/**
 * Takes the lease over. Undefined if the row is not as it must be: with this very lease already, with the lease `from`,
 * or with the mark of a lease that was found free.
 */
export async function takeRow(
  client: SqlSession,
  schema: string,
  {
    lease,
    holder,
    address,
    leaseMs,
    expected,
  }: {
    readonly lease: Buffer;
    readonly holder: string;
    readonly address: string;
    readonly leaseMs: number;
    readonly expected: { readonly from: Buffer } | { readonly mark: string };
  },
): Promise<TakenRow | undefined> {
  const isSo = 'from' in expected ? 'lease = $5' : `${markText} = $5::text`;
  const text =
    `UPDATE ${schema}.writer SET lease = $1, holder = $2, address = $3, ` +
    `until = clock_timestamp() + $4::int4 * interval '1 millisecond' ` +
    `WHERE one = 1 AND (lease = $1 OR ${isSo}) RETURNING commits, stores`;
  const values = [lease, holder, address, leaseMs, 'from' in expected ? expected.from : expected.mark];
  const [row] = await confirmed(client, { text }, values);
  return row === undefined ? undefined : { commits: numberOf(row[0]), stores: decodeStores(textOf(row[1])) };
}

/** Resolves with the count of commits; undefined if the row has another lease. */
export async function renewRow(
  client: SqlSession,
  schema: string,
  { lease, leaseMs }: { readonly lease: Buffer; readonly leaseMs: number },
): Promise<number | undefined> {
  const text =
    `UPDATE ${schema}.writer SET until = clock_timestamp() + $2::int4 * interval '1 millisecond' ` +
    'WHERE one = 1 AND lease = $1 RETURNING commits';
  const [row] = await confirmed(client, { name: 'renew', text }, [lease, leaseMs]);
  return row === undefined ? undefined : numberOf(row[0]);
}

/** Writes where the holder is reached, if the holder is still this one. */
export async function announceRow(
  client: SqlSession,
  schema: string,
  { holder, address }: { readonly holder: string; readonly address: string },
): Promise<void> {
  const text = `UPDATE ${schema}.writer SET address = $1 WHERE one = 1 AND holder = $2`;
  await client.query({ text }, [address, holder]);
}

/** The next process that asks may take it at once. */
export async function releaseRow(client: SqlSession, schema: string, lease: Buffer): Promise<void> {
  const text = `UPDATE ${schema}.writer SET holder = '', address = '', until = clock_timestamp() WHERE one = 1 AND lease = $1`;
  await client.query({ text }, [lease]);
}

/** Changes which numbers of `store` are in use, as one commit. Resolves with how many rows counted it. */
export async function changeRow(
  client: SqlSession,
  schema: string,
  { fence, next }: { readonly fence: Fence; readonly next: StoreNumbers },
): Promise<number> {
  const { statement, values } = fenceStatement(schema, fence, encodeStores(next));
  return (await confirmed(client, statement, values)).length;
}

/**
 * A change that is answered with a warning does not count yet: PostgreSQL warns if somebody cancelled its wait for a
 * synchronous replica. What became of the change is looked up by a statement that waits for that replica itself.
 */
export async function confirmed(
  client: SqlSession,
  statement: Statement,
  values: readonly SqlValue[],
): Promise<readonly SqlRow[]> {
  const before = client.warnings;
  const rows = await client.query(statement, values);
  if (rows.length > 0 && client.warnings !== before) throw unconfirmed();
  return rows;
}

export function unconfirmed(): Error {
  return new Error('the database warned instead of saying that the commit is safe');
}

export function holderOf({ holder, address, leftMs }: WriterRow): Holder {
  return { holder: nameOf(holder), address, leftMs };
}

/** The name without its unique part. */
export function nameOf(holder: string): string {
  return holder.replace(/ [0-9a-f]+$/, '');
}
