import { expect, it } from 'vitest';
import { registryNamespace } from '../../src/model/namespace.ts';
import { PostgresDatabase } from '../../src/store/postgres/postgres-database.ts';
import { postgresDefaults } from '../../src/store/postgres/postgres-options.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { encodeStores, putAside } from '../../src/store/postgres/store-numbers.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualClock } from '../support/virtual-time.ts';
import { ScriptedDatabase, settled } from './scripted-database.ts';

// The end of a deletion had put back the numbers that it read while another change of them was under way: what was written
// afterwards stood under a number that no opening looked for.
it('puts a store aside while what was dropped before is deleted', async () => {
  const server = new ScriptedDatabase();
  server.row.stores = encodeStores({ current: 2, aside: [], dropped: [1], last: 2 });
  const place = { connectionString: '', schema: 'meridian', shown: 'postgres://db' };
  const clock = new VirtualClock(server.time);
  const options = { ...postgresDefaults, place, clock, random: new SeededRandom(1) };
  const database = new PostgresDatabase(options, { lost: () => {} }, () => server.connect());
  server.fate = (text) =>
    text.startsWith('WITH gone') ? { waitMs: 100 } : text.includes('stores = $4') ? { waitMs: 1_000 } : undefined;
  await settled(server.time, database.take());
  await settled(server.time, database.change(putAside));
  await settled(server.time, database.close());
  const last = { current: 3, aside: [2], dropped: [], last: 3 };
  expect([database.stores, server.row.stores]).toEqual([last, encodeStores(last)]);
});

// Whoever goes over records and commits meanwhile holds a view while its commit waits for the store to be opened again; and that
// reads the registry in a view. With few connections two such rounds waited for it, and it for them.
it('opens a store again while every view that there may be is held by who waits for a commit', async () => {
  const server = new ScriptedDatabase();
  const place = { connectionString: '', schema: 'meridian', shown: 'postgres://db' };
  const clock = new VirtualClock(server.time);
  const options = { ...postgresDefaults, connectionsMax: 7, place, clock, random: new SeededRandom(1) };
  const database = new PostgresDatabase(options, { lost: () => {} }, () => server.connect());
  await settled(server.time, database.take());
  const store = await settled(server.time, PostgresStore.open(database));
  const pagesOf = async () => {
    const pages: unknown[] = [];
    for await (const page of store.snapshot().records({ namespace: registryNamespace })) pages.push(page);
    return pages;
  };
  const held = [store.snapshot(), store.snapshot()];
  const key = { namespace: registryNamespace, key: 'k' };
  for (const snapshot of held) expect(await settled(server.time, snapshot.read(key))).toBeUndefined();
  const beginMs = server.time.nowMs;
  await settled(server.time, store.reopen());
  expect(await settled(server.time, pagesOf())).toEqual([]);
  expect(server.time.nowMs - beginMs).toBeLessThan(1_000); // Of virtual time: it does not wait until they are too old.
  const reads = held.map((snapshot) => expect(snapshot.read(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' }));
  await settled(server.time, Promise.all(reads));
  await settled(server.time, database.close());
});
