/**
 * What does a whole origin over PostgreSQL do, beside one over its folder? Durable puts with 64 in flight; the catch-up of a
 * new edge's copy; from the kill of the holder to the first write that its standby acknowledges; and the deletion of a
 * namespace with that many keys: how long it takes, and by how much the origin grows meanwhile. Records of 100 bytes.
 *
 *     npm run bench -- postgres-origin [--records N] [--runs N] [--duration MS]
 */
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { Namespace } from '../../src/client/namespace.ts';
import { freePort } from '../support/free-port.ts';
import { createIn } from '../system/external/postgres/opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../system/external/postgres/postgres-server.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { fill, value } from './support/filled.ts';
import { clientOf, metric, placeOf, startNode, until } from './support/meridian-nodes.ts';

const inFlight = 64;
const mebibyte = 1024 * 1024;
/** Filling a store, and a fail-over, take longer than measuring: few runs do. */
const runsMax = 3;

if (hasPostgres()) {
  await runBench('An origin over PostgreSQL, records of 100 B', async (run) => {
    const server = await startPostgres(['shared_buffers=256MB', 'max_wal_size=4GB', 'autovacuum_naptime=5s']);
    run.onEnd(() => server.remove());
    await createIn(server.url());
    const [database, folder] = [await startOver(run, 'db-0', server), await startNode(run, 'origin', 'folder')];
    const [atDatabase, atFolder] = [await opened(run, database), await opened(run, folder)];
    for (let round = 0; round < run.runs; round++) {
      run.figures.add('durable puts, folder', 'writes/s', await putRate(atFolder, run.durationMs));
      run.figures.add('durable puts, PostgreSQL', 'writes/s', await putRate(atDatabase, run.durationMs));
    }
    await fill(atDatabase, run.records);
    await fill(atFolder, run.records);
    for (let round = 0; round < Math.min(runsMax, run.runs); round++) {
      await catchUp(run, folder, `by-folder-${round}`, 'catch-up, folder');
      await catchUp(run, database, `by-database-${round}`, 'catch-up, PostgreSQL');
    }
    const holder = await failOver(run, server, database);
    await remove(run, server, holder);
    run.figures.print();
    const { figures } = run;
    figures.judge({
      what: 'puts by those of the folder',
      figures: figures.ratios('durable puts, PostgreSQL', 'durable puts, folder'),
      least: 0.3,
    });
    figures.judge({
      what: 'deletion grows by',
      figures: figures.samples('deletion, origin grows by'),
      most: 128,
      unit: 'MiB',
    });
  });
}

/** At ports that it keeps when it takes over. */
async function startOver(run: BenchRun, name: string, server: PostgresServer): Promise<ChildNode> {
  const [listen, http] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  return startNode(run, 'origin', name, ['--store', server.url(), '--listen', listen, '--http', http]);
}

async function opened(run: BenchRun, origin: ChildNode): Promise<Namespace> {
  const client = clientOf(run, origin);
  await client.namespaces.create('bench');
  return client.namespace('bench');
}

async function putRate(namespace: Namespace, durationMs: number): Promise<number> {
  const startedMs = performance.now();
  let puts = 0;
  const writer = async (number: number) => {
    for (let n = 0; performance.now() - startedMs < durationMs; n++, puts++) {
      await namespace.put(`w${number}/${n % 1000}`, value);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, number) => writer(number)));
  return (puts * 1000) / (performance.now() - startedMs);
}

/** A new edge in an empty folder, from its start to having caught up. */
async function catchUp(run: BenchRun, origin: ChildNode, name: string, figure: string): Promise<void> {
  const startedMs = performance.now();
  const edge = await startNode(run, 'edge', name, ['--upstream', placeOf(origin), '--replicate', '*']);
  const client = clientOf(run, edge);
  await until(async () => {
    const { scopes } = await client.status();
    return scopes.length > 0 && scopes.every(({ boundMs }) => boundMs !== undefined);
  }, 'the edge has caught up');
  run.figures.add(figure, 'records/s', (run.records * 1000) / (performance.now() - startedMs));
  await edge.kill();
}

/** The holder is killed, again and again. Returns the one that holds in the end. */
async function failOver(run: BenchRun, server: PostgresServer, first: ChildNode): Promise<ChildNode> {
  let holder = first;
  for (let round = 1; round <= Math.min(runsMax, run.runs); round++) {
    const standby = await startOver(run, `db-${round}`, server);
    const namespace = clientOf(run, standby).namespace('bench');
    await until(async () => (await namespace.put('k', 'forwarded')) === undefined, 'the standby passes writes on');
    await holder.kill();
    const killedMs = performance.now();
    const wrote = () =>
      namespace.put('k', 'by the next one', { timeoutMs: 500 }).then(
        () => true,
        () => false,
      );
    await until(wrote, 'the standby took over', 60_000);
    run.figures.add('kill to first write (lease 5 s)', 's', (performance.now() - killedMs) / 1000);
    holder = standby;
  }
  return holder;
}

async function remove(run: BenchRun, server: PostgresServer, origin: ChildNode): Promise<void> {
  const records = () => Number(server.sql('SELECT count(*) FROM meridian.record'));
  const resident = () => metric(origin, 'process_resident_memory_bytes');
  const before = await resident();
  let most = before;
  const startedMs = performance.now();
  const held = records();
  await clientOf(run, origin).namespaces.delete('bench');
  await until(
    async () => {
      most = Math.max(most, await resident());
      return records() < 1000;
    },
    'the data of the namespace are gone',
    1_800_000,
    250,
  );
  run.figures.add('deletion', 'records/s', (held * 1000) / (performance.now() - startedMs));
  run.figures.add('deletion, origin grows by', 'MiB', (most - before) / mebibyte);
}
