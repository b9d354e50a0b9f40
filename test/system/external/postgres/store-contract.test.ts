import { afterAll, beforeAll, describe } from 'vitest';
import type { RecordKey } from '../../../../src/model/key.ts';
import type { Store } from '../../../../src/store/store.ts';
import { storeContract } from '../../../contract/store.ts';
import { createIn, openStore } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

describe.skipIf(!hasPostgres())('over PostgreSQL', () => {
  let server: PostgresServer;
  let schemas = 0;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  storeContract('PostgreSQL', async () => {
    const schema = `contract_${++schemas}`;
    const url = server.url(`?schema=${schema}`);
    await createIn(url);
    const open = async (): Promise<Store> => {
      const { database, store } = await openStore(url);
      // The contract's store is the only one of its database.
      const closeStore = store.close.bind(store);
      store.close = () => closeStore().then(() => database.close());
      return store;
    };
    return {
      open: async () => {
        server.sql(`DROP TRIGGER IF EXISTS "full" ON ${schema}.record`);
        return open();
      },
      // No room for values is what the server then says of a row that has one.
      openFull: async () => {
        server.sql(`
          CREATE FUNCTION ${schema}.no_room() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$;
          CREATE TRIGGER "full" BEFORE INSERT ON ${schema}.record FOR EACH ROW WHEN (NEW.kind = 1)
            EXECUTE FUNCTION ${schema}.no_room()`);
        return open();
      },
      damage: async ({ namespace, key }: RecordKey) => {
        const at = `namespace = '\\x${namespace}' AND key = '\\x${Buffer.from(key).toString('hex')}'`;
        server.sql(`UPDATE ${schema}.record SET head = set_byte(head, 10, get_byte(head, 10) # 1) WHERE ${at}`);
      },
      remove: async () => void server.sql(`DROP SCHEMA ${schema} CASCADE`),
    };
  });
});
