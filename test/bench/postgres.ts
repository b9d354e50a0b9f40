/**
 * How much slower is an origin's store over PostgreSQL than over LevelDB, and why do rows travel packed? Synced batches of 64
 * records of 100 bytes (64 writers in flight), the same rows by plain INSERTs in one transaction, rows in arrays of bytes
 * instead of packed, a catch-up by the log, the size, and overwrites with autovacuum on. Prints ratios too: a shared
 * machine's absolute figures say little.
 *
 *     npm run bench -- postgres [--records N] [--overwrites N]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { headOf, type LiveRecord } from '../../src/model/record.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { encodeRow } from '../../src/store/record-row.ts';
import type { Store } from '../../src/store/store.ts';
import { createIn, openStore } from '../system/external/postgres/opened-store.ts';
import { hasPostgres, startPostgres } from '../system/external/postgres/postgres-server.ts';

const { values: flags } = parseArgs({
  options: { records: { type: 'string' }, overwrites: { type: 'string' } },
  strict: false,
});
const records = Number(flags.records ?? 100_000);
const overwrites = Number(flags.overwrites ?? 200_000);
const batchRecords = 64;
const putBatches = 200;
const keptKeys = 10_000;
const namespace = 'ab'.repeat(16) as NamespaceId;
const log = 'cd'.repeat(8) as LogId;

function recordAt(index: number, sequence = index + 1): LiveRecord {
  return {
    kind: 'live',
    namespace,
    key: `user/${String(index).padStart(9, '0')}`,
    value: new Uint8Array(100).fill(sequence & 0xff),
    stamp: makeStamp({ wallMs: 1_700_000_000_000 + sequence, counter: 0, log }),
    position: { log, sequence },
  };
}

async function rateOf(count: number, run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return (count * 1000) / (performance.now() - startedMs);
}

function say(name: string, perSecond: number, beside?: readonly [string, number]): void {
  const ratio = beside === undefined ? '' : `   ${(perSecond / beside[1]).toFixed(2)} × ${beside[0]}`;
  console.log(`${name.padEnd(52)} ${perSecond.toFixed(0).padStart(9)} /s${ratio}`);
}

async function putAll(store: Store, from: number, count: number, batch: number): Promise<void> {
  for (let start = from; start < from + count; start += batch) {
    const puts = Array.from({ length: batch }, (_, offset) => ({ record: recordAt(start + offset), held: undefined }));
    // As a ledger does: the heads of what is put are looked at before.
    await store.heads(puts.map(({ record }) => record));
    await store.commit({ puts, removals: [], meta: new Map([['ledger', Buffer.alloc(300)]]), sync: true });
  }
}

async function catchUp(store: Store): Promise<number> {
  const view = store.snapshot();
  let count = 0;
  for await (const page of view.log(log, 1)) count += page.length;
  await view.close();
  return count;
}

/** The same rows by what comes to mind first. */
async function plainInserts(url: string): Promise<{ readonly single: number; readonly arrays: number }> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    'CREATE TABLE plain (namespace bytea, key bytea, log bytea, sequence bigint, head bytea, value bytea, PRIMARY KEY (namespace, key))',
  );
  const rowOf = (index: number) => {
    const record = recordAt(index);
    const key = Buffer.from(record.key);
    return [
      Buffer.from(namespace, 'hex'),
      key,
      Buffer.from(log, 'hex'),
      record.position.sequence,
      encodeRow(record, -1),
      record.value,
    ];
  };
  const batches = putBatches / 4;
  const single = await rateOf(batches * batchRecords, async () => {
    for (let batch = 0; batch < batches; batch++) {
      await client.query('BEGIN');
      for (let n = 0; n < batchRecords; n++) {
        const values = rowOf(batch * batchRecords + n);
        await client.query({ name: 'one', text: 'INSERT INTO plain VALUES ($1, $2, $3, $4, $5, $6)', values });
      }
      await client.query('COMMIT');
    }
  });
  const arrays = await rateOf(putBatches * batchRecords, async () => {
    for (let batch = 0; batch < putBatches; batch++) {
      const rows = Array.from({ length: batchRecords }, (_, n) => rowOf((batches + batch) * batchRecords + n));
      const values = [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column]));
      const text =
        'INSERT INTO plain SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int8[], $5::bytea[], $6::bytea[])';
      await client.query({ name: 'arrays', text, values });
    }
  });
  await client.end();
  return { single, arrays };
}

async function overwriteAll(store: Store, from: number): Promise<readonly number[]> {
  const rates: number[] = [];
  let sequence = from;
  const held = new Map<number, LiveRecord>();
  const tenth = Math.floor(overwrites / 10 / batchRecords);
  for (let part = 0; part < 10; part++) {
    rates.push(
      await rateOf(tenth * batchRecords, async () => {
        for (let batch = 0; batch < tenth; batch++) {
          const puts = Array.from({ length: batchRecords }, () => {
            const index = sequence % keptKeys;
            const before = held.get(index);
            const record = recordAt(index, ++sequence);
            held.set(index, record);
            return { record, held: before === undefined ? undefined : headOf(before) };
          });
          await store.commit({ puts, removals: [], meta: new Map([['ledger', Buffer.alloc(300)]]), sync: true });
        }
      }),
    );
  }
  return rates;
}

async function main(): Promise<void> {
  if (!hasPostgres()) return;
  const folder = await mkdtemp(join(tmpdir(), 'meridian-bench-'));
  const server = await startPostgres(['shared_buffers=256MB', 'max_wal_size=4GB', 'autovacuum_naptime=5s']);
  try {
    const count = putBatches * batchRecords;
    const level = await openLevelStore(join(folder, 'level'));
    const levelRate = await rateOf(count, () => putAll(level, 0, count, batchRecords));
    say('durable put, 64 in flight, LevelDB', levelRate);
    await createIn(server.url());
    const { store, database } = await openStore(server.url());
    const rate = await rateOf(count, () => putAll(store, 0, count, batchRecords));
    say('durable put, 64 in flight, PostgreSQL', rate, ['LevelDB', levelRate]);
    const plain = await plainInserts(server.url());
    say('the same rows, 64 INSERTs in one transaction', plain.single, ['PostgreSQL store', rate]);
    say('the same rows, arrays of bytes, no fence or indexes', plain.arrays, ['PostgreSQL store', rate]);
    await putAll(level, count, records - count, 1000);
    await putAll(store, count, records - count, 1000);
    const levelScan = await rateOf(records, () => catchUp(level));
    say(`catch-up of ${records} records, LevelDB`, levelScan);
    say(`catch-up of ${records} records, PostgreSQL`, await rateOf(records, () => catchUp(store)), [
      'LevelDB',
      levelScan,
    ]);
    server.sql('VACUUM');
    const [bytes, levelBytes] = [await store.approximateBytes(), await level.approximateBytes()];
    console.log(`bytes a record of 100: ${(bytes / records).toFixed(0)}, ${(bytes / levelBytes).toFixed(1)} × LevelDB`);
    const rates = await overwriteAll(store, records);
    const after = await store.approximateBytes();
    const [first = 1, last = 1] = [rates[0], rates.at(-1)];
    console.log(
      `${overwrites} overwrites of ${keptKeys} keys: rate of the last tenth ${(last / first).toFixed(2)} × the first, size ${(after / bytes).toFixed(2)} ×`,
    );
    await store.close();
    await database.close();
    await level.close();
  } finally {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
