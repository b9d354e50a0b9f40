import { expect, it } from 'vitest';
import { NodeState } from '../../src/edge/node-state.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { MemoryDisk } from '../support/memory-store.ts';

it('an edge keeps which cluster it is of, also where its disk failed as it first heard of that', async () => {
  const disk = new MemoryDisk();
  const store = disk.open();
  const state = await NodeState.open(store, systemRandom);
  disk.nextCommitFails = 'lost';
  await expect(state.join('c')).rejects.toMatchObject({ code: 'INTERNAL' });
  await expect(state.join('other'), 'it is of the first all the same').rejects.toMatchObject({
    details: { reason: 'other-cluster' },
  });
  await store.reopen();
  await state.join('c');
  expect((await NodeState.open(disk.open(), systemRandom)).clusterId).toBe('c');
});
