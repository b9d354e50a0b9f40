// Commits to a store for as long as it lives, and prints what was acknowledged: the victim of store-killed.test.ts.
//
//   node store-child.mjs commit FOLDER    prints the number of each batch once its commit has resolved
//   node store-child.mjs erase FOLDER     fills the store, prints `filled`, erases it, prints `erased`
import { writeSync } from 'node:fs';
import { openLevelStore } from '../../dist/store/level-store.js';
import { batchOf, keysABatch } from './store-batch.mjs';

const [mode, folder] = process.argv.slice(2);
const store = await openLevelStore(folder, { writeBufferBytes: 256 * 1024 });

async function commitForEver() {
  const started = Number((await store.meta('n'))?.toString() ?? 0);
  const inFlight = new Set();
  for (let n = started + 1; ; n++) {
    const records = batchOf(n);
    const before = n > 10 ? batchOf(n - 10) : [];
    const puts = records.map((record, index) => ({ record, held: headOf(before[index]) }));
    const meta = new Map([['n', Buffer.from(String(n))]]);
    // Most batches are synced; those between ride with the next synced one, and are not acknowledged by themselves.
    const sync = n % 3 !== 0;
    const committing = store.commit({ puts, removals: [], meta, sync }).then(() => {
      if (sync) writeSync(1, `${n}\n`);
      inFlight.delete(committing);
    });
    inFlight.add(committing);
    if (inFlight.size >= 4) await Promise.race(inFlight);
  }
}

async function fillAndErase() {
  for (let n = 1; n <= 200; n++) {
    const puts = batchOf(n).map((record) => ({ record: { ...record, key: `${record.key}/${n}` }, held: undefined }));
    await store.commit({ puts, removals: [], meta: new Map([['n', Buffer.from(String(n))]]), sync: false });
  }
  await store.commit({ puts: [], removals: [], meta: new Map(), sync: true });
  writeSync(1, `filled ${200 * keysABatch}\n`);
  await store.erase();
  writeSync(1, 'erased\n');
}

function headOf(record) {
  if (record === undefined) return undefined;
  const { value, ...head } = record;
  return { ...head, valueBytes: value.byteLength };
}

await (mode === 'erase' ? fillAndErase() : commitForEver());
