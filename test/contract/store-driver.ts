import { expect } from 'vitest';
import type { RecordKey } from '../../src/model/key.ts';
import { type Head, headOf, type Record } from '../../src/model/record.ts';
import type { Snapshot, Store, Stored } from '../../src/store/store.ts';

export interface Change {
  readonly puts?: readonly Record[];
  readonly removals?: readonly RecordKey[];
  readonly meta?: Readonly<{ [name: string]: string | undefined }>;
  readonly sync?: boolean;
}

/** Commits as the store's user does: with the heads that the store holds. */
export async function commit(
  store: Store,
  { puts = [], removals = [], meta = {}, sync = false }: Change,
): Promise<void> {
  const held = await store.heads(puts);
  const removed = await store.heads(removals);
  await store.commit({
    puts: puts.map((record, index) => ({ record, held: held[index] })),
    removals: removed.filter((head) => head !== undefined),
    meta: new Map(Object.entries(meta).map(([name, text]) => [name, text === undefined ? text : bytes(text)])),
    sync,
  });
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export async function metaText(store: Store, name: string): Promise<string | undefined> {
  const value = await store.meta(name);
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

/** All that the pages hold. A page is never empty. */
export async function collect<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) {
    expect(page.length).toBeGreaterThan(0);
    all.push(...page);
  }
  return all;
}

export async function withSnapshot<T>(store: Store, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const snapshot = store.snapshot();
  return use(snapshot).finally(() => snapshot.close());
}

export function keysOf(heads: readonly RecordKey[]): string[] {
  return heads.map(({ key }) => key);
}

/** Compares by content, whatever kind of byte array a store gives. */
export function expectRecord(found: Record | undefined, wanted: Record | undefined): void {
  if (found?.kind !== 'live' || wanted?.kind !== 'live') {
    expect(found).toEqual(wanted);
    return;
  }
  expect(headOf(found)).toEqual(headOf(wanted));
  expect(Buffer.compare(found.value, wanted.value)).toBe(0);
}

export function headWithoutValue(stored: Stored): Head {
  if (stored.kind === 'tombstone') return stored;
  const { value: _, ...head } = stored;
  return head;
}
