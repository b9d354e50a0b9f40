import { expect, it } from 'vitest';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { NamespaceRemover } from '../../src/replication/namespace-remover.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { registryKeys } from '../../src/replication/registry.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live, tombstone } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

it('what a namespace holds that lived again between two deletions is looked for once more (R18)', async () => {
  const ledger = await Ledger.open({ ...edgeDefaults, store: new MemoryDisk().open(), clock, observer });
  const { registry } = ledger;
  const remover = new NamespaceRemover({ ledger, clock, observer, garbageIntervalMs: 1000 });
  const id = parseNamespaceId('d'.repeat(32));
  if (id === undefined) throw new Error('a bad sample');
  const key = registryKeys.namespace(id);
  const made = live({ key, sequence: 1, value: Buffer.from(JSON.stringify({ title: 'ns', home: 'x' })) });
  const deleted = tombstone({ key, sequence: 2 });
  const signal = new AbortController().signal;
  const mayPurge = () => remover.mayPurge({ namespace: registryNamespace, key });
  registry.apply({ ...made, namespace: registryNamespace });
  registry.apply({ ...deleted, namespace: registryNamespace });
  expect(mayPurge()).toBe(false);
  await remover.remove(signal);
  expect(mayPurge()).toBe(true);
  // A resync shows an earlier record, so the deletion is void (rule R7); then it comes again.
  registry.apply({ ...made, namespace: registryNamespace });
  registry.apply({ ...deleted, namespace: registryNamespace });
  expect(mayPurge()).toBe(false);
  await remover.remove(signal);
  expect(mayPurge()).toBe(true);
});
