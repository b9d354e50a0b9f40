import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeridianError } from '../model/errors.ts';
import { makeFolder } from '../runtime/make-folder.ts';
import { checkStore, holdsStore, isWhole, type StoreReport } from '../store/check-store.ts';
import { type Salvaged, salvageStore } from '../store/salvage.ts';
import { SalvageFiles } from './salvage-files.ts';

export interface DataReport {
  readonly store: StoreReport;
  readonly whole: boolean;
  readonly salvaged?: Salvaged;
}

/** The stores that the data folder of a node may hold: an edge has two, and an origin may have put some aside. */
const storeNames = /^(store|copy|cache|aside-[1-9][0-9]*)$/;

/**
 * Verifies the stores of a stopped node. With `salvage` it writes what can be read of each into that folder, one file a
 * namespace, as `meridian import` reads them. Nothing in the data folder is changed.
 * @throws INVALID_ARGUMENT where the folder holds no store; UNAVAILABLE (`store-locked`) where the node runs
 */
export async function checkData(data: string, salvage: string | undefined): Promise<DataReport[]> {
  const names = (await readdir(data).catch(() => [])).filter((name) => storeNames.test(name)).sort();
  const stores = [data, ...names.map((name) => join(data, name))].filter(holdsStore);
  if (stores.length === 0) {
    throw new MeridianError('INVALID_ARGUMENT', `${data} holds no store of a node`, { reason: 'no-store' });
  }
  const reports: DataReport[] = [];
  for (const directory of stores) {
    const store = await checkStore(directory);
    const saved = salvage === undefined ? {} : { salvaged: await salvageInto(directory, data, salvage) };
    reports.push({ store, whole: isWhole(store), ...saved });
  }
  return reports;
}

async function salvageInto(directory: string, data: string, salvage: string): Promise<Salvaged> {
  const folder = directory === data ? salvage : join(salvage, directory.slice(data.length + 1));
  await makeFolder(folder);
  const files = new SalvageFiles(folder);
  try {
    return await salvageStore(directory, join(folder, 'scratch'), (record) => files.save(record));
  } finally {
    await files.close();
  }
}
