import { expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { RecordKey } from '../../src/model/key.ts';
import { Rewrite, type RewriteOptions } from '../../src/origin/membership/rewrite.ts';
import { emptyLedgerState } from '../../src/replication/ledger-state.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { live } from '../contract/sample-records.ts';
import { log } from '../replication/registry-records.ts';

const record = (key: string, sequence: number) => live({ key, sequence, log: log(1), value: new Uint8Array(1) });

it('a record beyond a seal is written again beside one whose value is damaged', async () => {
  const held = new Set([record('damaged', 6), record('sound', 7)]);
  const snapshot = {
    log: async function* () {
      yield [...held];
    },
    read: async (key: RecordKey) => {
      if (key.key === 'damaged')
        throw new MeridianError('DATA_LOSS', 'a chunk is damaged', { reason: 'store-damaged' });
      return [...held].find((one) => one.key === key.key);
    },
    records: async function* () {},
    close: async () => {},
  };
  const seal = { final: 5, at: { log: log(2), sequence: 2 } };
  const submitted: string[] = [];
  const ledger = {
    registry: { logs: { version: 1, all: () => [{ log: log(1), seal }], get: () => ({}) } },
    state: emptyLedgerState,
    instant: () => ({ snapshot }),
    store: { snapshot: () => ({ logs: async () => [], close: async () => {} }) },
    submit: async ({ keys }: { readonly keys: readonly RecordKey[] }) => {
      for (const { key } of keys) {
        submitted.push(key);
        for (const one of held) if (one.key === key) held.delete(one);
      }
    },
  };
  const rewrite = new Rewrite({
    ledger: ledger as unknown as RewriteOptions['ledger'],
    ownLog: {} as RewriteOptions['ownLog'],
    sealing: { isComplete: true },
    clock: systemClock,
    heardFromAllSince: () => true,
  });
  await rewrite.look(new AbortController().signal);
  expect([submitted, rewrite.isDone]).toEqual([['sound'], true]);
});
