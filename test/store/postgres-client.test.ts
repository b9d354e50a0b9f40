import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { postgresDefaults } from '../../src/store/postgres/postgres-options.ts';
import { parsePostgresUrl } from '../../src/store/postgres/postgres-url.ts';
import { SqlClient } from '../../src/store/postgres/sql-client.ts';

// PgBouncer refuses a connection that asks for more.
it('asks for nothing at the start but what every pooler knows', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = parsePostgresUrl(`postgres://meridian@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`);
  const connecting = SqlClient.connect({ ...postgresDefaults, place, clock: systemClock, idleTransactionMsMax: 1_000 });
  connecting.catch(() => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [message] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  server.close();
  await expect(connecting).rejects.toThrow();
  // Behind its length and the version of the protocol: names and values, each with a zero behind it.
  const words = message.subarray(8).toString().split('\0');
  const names = words.filter((word, index) => index % 2 === 0 && word !== '');
  expect(names.sort()).toEqual(['application_name', 'client_encoding', 'database', 'user']);
});
