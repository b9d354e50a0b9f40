import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { NamespaceId } from '../../../../src/model/namespace.ts';
import type { LogId } from '../../../../src/model/position.ts';
import { headOf, type LiveRecord } from '../../../../src/model/record.ts';
import { makeStamp } from '../../../../src/model/stamp.ts';
import { createIn, openStore } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

const namespace = 'ab'.repeat(16) as NamespaceId;
const log = 'cd'.repeat(8) as LogId;

/** Rows that a commit names. */
const batchRecords = 50;

function recordAt(index: number, valueBytes: number): LiveRecord {
  return {
    kind: 'live',
    namespace,
    key: `user/${String(index).padStart(9, '0')}`,
    value: new Uint8Array(valueBytes),
    stamp: makeStamp({ wallMs: 1_700_000_000_000 + index, counter: 0, log }),
    position: { log, sequence: index + 1 },
  };
}

/** Rows of tables and entries of indexes that were read so far, as the server counts them. */
async function rowsRead(server: PostgresServer): Promise<number> {
  const text =
    'SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables) + ' +
    '(SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)';
  let seen = Number(server.sql(text));
  // A session tells what it counted a while after it has ended.
  for (let unchanged = 0; unchanged < 3; ) {
    await sleep(200);
    const now = Number(server.sql(text));
    unchanged = now === seen ? unchanged + 1 : 0;
    seen = now;
  }
  return seen;
}

describe.skipIf(!hasPostgres())('plans over PostgreSQL', () => {
  // Statements that join keys with a table had been planned while the table was empty, and read it whole from then on.
  test('what is asked by keys reads the rows of these keys alone, in a store that grew from nothing and that nobody analysed', async () => {
    const server = await startPostgres(['autovacuum=off']);
    try {
      await createIn(server.url());
      const write = async (batches: number, valueBytes: number) => {
        const { database, store } = await openStore(server.url());
        const all = Array.from({ length: batches }, (_, batch) =>
          Array.from({ length: batchRecords }, (_, n) => recordAt(batch * batchRecords + n, valueBytes)),
        );
        for (const records of all) {
          await store.heads(records);
          await store.commit({
            puts: records.map((record) => ({ record, held: undefined })),
            removals: [],
            meta: new Map(),
            sync: false,
          });
        }
        for (const records of all)
          await store.commit({ puts: [], removals: records.map(headOf), meta: new Map(), sync: false });
        await store.close();
        await database.close();
        return batches * batchRecords;
      };

      const before = await rowsRead(server);
      // Each row is looked for before, by its keys, and when it goes.
      const small = await write(60, 10);
      expect((await rowsRead(server)) - before).toBeLessThan(small * 6);

      const between = await rowsRead(server);
      const large = await write(6, 70_000);
      expect((await rowsRead(server)) - between).toBeLessThan(large * 10);
    } finally {
      await server.remove();
    }
  });

  // A store that nobody had counted yet was taken for empty: each key was looked for in all of it, by its log.
  test('reads no more in a store that was begun anew after the one before was analysed', async () => {
    const server = await startPostgres(['autovacuum=off']);
    try {
      await createIn(server.url());
      const { database, store } = await openStore(server.url());
      const records = Array.from({ length: 2_000 }, (_, n) => {
        const record = recordAt(n, 10);
        return { ...record, key: `${'long/'.repeat(40)}${record.key}` };
      });
      const fill = async () => {
        for (let from = 0; from < records.length; from += batchRecords) {
          const batch = records.slice(from, from + batchRecords);
          await store.heads(batch);
          const puts = batch.map((record) => ({ record, held: undefined }));
          await store.commit({ puts, removals: [], meta: new Map(), sync: false });
        }
      };
      await fill();
      server.sql('ANALYZE');
      await store.erase();
      await expect.poll(() => database.stores.dropped, { timeout: 20_000 }).toEqual([]);
      const before = await rowsRead(server);
      await fill();
      await store.heads(records.slice(0, 1_000));
      for (const record of records.slice(0, 20)) await store.read(record);
      const view = store.snapshot();
      for (const pages of [view.records({}), view.log(log, 1)]) for await (const _ of pages);
      await view.close();
      await store.close();
      await database.close();
      expect((await rowsRead(server)) - before).toBeLessThan(records.length * 5);
    } finally {
      await server.remove();
    }
  });
});
