import { expect } from 'vitest';
import { isMeridianError } from '../../../src/model/errors.ts';
import { mapKey, type RecordKey } from '../../../src/model/key.ts';
import { type Head, headOf, type Record } from '../../../src/model/record.ts';
import { openLevelStore } from '../../../src/store/level-store.ts';
import { type Damaged, endedAtSeconds, type Store } from '../../../src/store/store.ts';
import { live, logOne, namespaceA, tombstone } from '../../contract/sample-records.ts';
import { collect, expectRecord, headWithoutValue, withSnapshot } from '../../contract/store-driver.ts';
import { keyOf, type Sample, smallTables } from './damaged-copy.ts';

/** What a start over a damaged store comes to. */
export type Outcome =
  | { readonly kind: 'refused'; readonly message: string }
  /** Everything is answered as it was written, but for so many keys that say DATA_LOSS. */
  | { readonly kind: 'opened'; readonly lost: number; readonly doubtful: boolean };

type Records = Map<string, Record | undefined>;

/**
 * Opens the store, asks for everything in every way, heals what is lost, and asks again after another opening. Fails
 * where anything is answered that was not written, or is left out without a word.
 */
export async function outcomeOf(path: string, sample: Sample): Promise<Outcome> {
  const records: Records = new Map(sample.records);
  const opened = await openLevelStore(path, smallTables).catch((error: unknown) => error);
  if (!isStore(opened)) {
    expect(isMeridianError(opened, 'DATA_LOSS'), `${opened}`).toBe(true);
    return { kind: 'refused', message: String(opened) };
  }
  const doubtful = opened.condition().absenceUncertain;
  const lost = await checkAll(opened, records, doubtful);
  await heal(opened, lost, records);
  expect([...(await checkAll(opened, records, doubtful))].filter((name) => lost.has(name))).toEqual([]);
  expect(opened.condition().damagedRecords).toBe(0);
  await opened.close();
  const again = await openLevelStore(path, smallTables);
  const left = await checkAll(again, records, doubtful);
  expect(left.size).toBe(0);
  expect(again.condition().damagedRecords).toBe(0);
  await again.close();
  return { kind: 'opened', lost: lost.size, doubtful };
}

function isStore(opened: unknown): opened is Store {
  return typeof opened === 'object' && opened !== null && 'condition' in opened;
}

/** The keys that say DATA_LOSS. */
async function checkAll(store: Store, records: Records, doubtful: boolean): Promise<Set<string>> {
  const lost = new Set<string>();
  for (const [name, record] of records) {
    const found = await store.read(keyOf(name)).catch((error: unknown) => {
      expect(isMeridianError(error, 'DATA_LOSS'), `${name}: ${error}`).toBe(true);
      lost.add(name);
      return 'lost' as const;
    });
    if (found === 'lost') expect(record !== undefined || doubtful, `${name} was removed`).toBe(true);
    else expectRecord(found, record);
  }
  await checkViews(store, records, lost);
  return lost;
}

async function checkViews(store: Store, records: Records, lost: ReadonlySet<string>): Promise<void> {
  const held = [...records].flatMap(([name, record]) =>
    record === undefined ? [] : [[name, headOf(record)] as const],
  );
  const damaged = new Set<string>();
  const note = (found: Damaged) => void damaged.add(nameOf(found));
  const heads = await store.heads([...records.keys()].map(keyOf), note);
  const shown = new Map(heads.flatMap((head) => (head === undefined ? [] : [[nameOf(head), head] as const])));
  await withSnapshot(store, async (view) => {
    const scans: ReadonlyArray<readonly Head[]> = [
      [...shown.values()],
      (await collect(view.records({}, note))).map(headWithoutValue),
      (await collect(view.log(logOne, 0, note))).map(headWithoutValue),
    ];
    for (const name of damaged) expect(lost.has(name), `${name} reads, and is told to be damaged`).toBe(true);
    const sound = held.filter(([name]) => !damaged.has(name));
    for (const scan of scans) {
      expect([...scan].sort(byKey)).toEqual(sound.map(([, head]) => head).sort(byKey));
    }
    const kinds = ['live', 'tombstone'] as const;
    const ended = (await Promise.all(kinds.map((kind) => collect(view.ended(kind, Number.MAX_SAFE_INTEGER))))).flat();
    const ending = sound.flatMap(([, head]) => (endedAtSeconds(head) === undefined ? [] : [head]));
    expect(ended.sort(byKey)).toEqual(ending.sort(byKey));
  });
}

/** By turns with a value and with a deletion, as their users would. */
async function heal(store: Store, lost: ReadonlySet<string>, records: Records): Promise<void> {
  let sequence = 1_000_000;
  for (const name of lost) {
    const { key } = keyOf(name);
    const record = ++sequence % 2 === 0 ? live({ key, sequence }) : tombstone({ key, sequence });
    const [held] = await store.heads([record], () => {});
    await store.commit({ puts: [{ record, held }], removals: [], meta: new Map(), sync: true });
    records.set(name, record);
  }
}

function nameOf({ namespace, key }: RecordKey): string {
  return mapKey(namespace, key);
}

function byKey(a: Head, b: Head): number {
  expect(a.namespace).toBe(namespaceA);
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
