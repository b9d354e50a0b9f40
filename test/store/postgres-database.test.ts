import { expect, it } from 'vitest';
import { PostgresDatabase } from '../../src/store/postgres/postgres-database.ts';
import { postgresDefaults } from '../../src/store/postgres/postgres-options.ts';
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
