import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../src/model/call.ts';
import type { GetAnswer, KeyValue, Mutation, PutMutation, WriteAnswer } from '../../src/model/key-value.ts';
import { limits } from '../../src/model/limits.ts';
import { emptySession } from '../../src/model/session.ts';
import { parseStamp } from '../../src/model/stamp.ts';

export interface KeyValueHarness {
  readonly keyValue: KeyValue;
  /** The title of an empty namespace that `keyValue` serves. */
  readonly namespace: string;
  /** A call whose deadline is far enough for a slow machine. */
  call(): Call;
  close(): Promise<void>;
}

/** What every `KeyValue` does. Run it from a test file: `keyValueContract('an origin', async () => harness)`. */
export function keyValueContract(name: string, makeHarness: () => Promise<KeyValueHarness>): void {
  describe(`a key-value store (${name})`, () => {
    let harness: KeyValueHarness;

    beforeAll(async () => {
      harness = await makeHarness();
    });

    afterAll(async () => {
      await harness.close();
    });

    const get = (key: string, namespace = harness.namespace): Promise<GetAnswer> =>
      harness.keyValue.get({ namespace, key, session: emptySession }, harness.call());
    const write = (...mutations: readonly Mutation[]): Promise<WriteAnswer> =>
      harness.keyValue.write({ namespace: harness.namespace, session: emptySession, mutations }, harness.call());
    const put = (key: string, value: Uint8Array | string = key, more: Partial<PutMutation> = {}) =>
      write({ kind: 'put', key, value: Buffer.from(value), ...more });
    const list = (prefix: string, limit: number, cursor?: string) =>
      harness.keyValue.list(
        {
          namespace: harness.namespace,
          session: emptySession,
          prefix,
          limit,
          ...(cursor === undefined ? {} : { cursor }),
        },
        harness.call(),
      );

    it('reads back what was written, with its version, position, metadata and expiry', async () => {
      const { written } = await put('whole', 'text', {
        metadata: '{"a":1}',
        expiry: { kind: 'at', seconds: 4_000_000_000 },
      });
      const { record } = await get('whole');
      expect(record).toMatchObject({
        kind: 'live',
        metadata: '{"a":1}',
        expiresAt: 4_000_000_000,
        stamp: written[0]?.stamp,
        position: written[0]?.position,
      });
      expect(textOf(record)).toBe('text');
    });

    it('tells an absent key as an answer, a deleted one with its version, and an empty value as a value', async () => {
      expect((await get('never')).record).toBeUndefined();
      await put('gone');
      const { written } = await write({ kind: 'delete', key: 'gone' });
      expect((await get('gone')).record).toMatchObject({ kind: 'tombstone', stamp: written[0]?.stamp });
      await put('empty', '');
      expect(textOf((await get('empty')).record)).toBe('');
    });

    it('writes a tombstone for a key that is not held', async () => {
      const { written } = await write({ kind: 'delete', key: 'never-put' });
      expect((await get('never-put')).record).toMatchObject({ kind: 'tombstone', stamp: written[0]?.stamp });
    });

    it('gives later writes later versions, whatever their keys', async () => {
      const stamps: string[] = [];
      for (const key of ['v/1', 'v/2', 'v/1']) stamps.push((await put(key)).written[0]?.stamp ?? '');
      expect(new Set(stamps).size).toBe(3);
      expect([...stamps].sort()).toEqual(stamps);
    });

    it('applies a batch in its order and whole, or not at all', async () => {
      const value = Buffer.from('x');
      const { written } = await write(
        { kind: 'put', key: 'b/1', value },
        { kind: 'put', key: 'b/2', value },
        { kind: 'delete', key: 'b/1' },
      );
      const first = written[0]?.position.sequence ?? 0;
      expect(written.map(({ position }) => position.sequence)).toEqual([first, first + 1, first + 2]);
      expect((await get('b/1')).record).toMatchObject({ kind: 'tombstone' });
      const failing = write(
        { kind: 'put', key: 'b/3', value },
        { kind: 'put', key: 'b/2', value, condition: { kind: 'absent' } },
      );
      await expect(failing).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { versionFound: written[1]?.stamp },
      });
      expect((await get('b/3')).record).toBeUndefined();
    });

    it('decides a condition on the version found, and never matches a tombstone', async () => {
      const version = parseStamp((await put('c', 'one', { condition: { kind: 'absent' } })).written[0]?.stamp ?? '');
      if (version === undefined) throw new Error('no version');
      await put('c', 'two', { condition: { kind: 'version', version } });
      const again = put('c', 'three', { condition: { kind: 'version', version } });
      await expect(again).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      expect(textOf((await get('c')).record)).toBe('two');
      const deleted = parseStamp((await write({ kind: 'delete', key: 'c' })).written[0]?.stamp ?? '');
      if (deleted === undefined) throw new Error('no version');
      const ofTombstone = put('c', 'four', { condition: { kind: 'version', version: deleted } });
      await expect(ofTombstone).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      await put('c', 'five', { condition: { kind: 'absent' } });
      expect(textOf((await get('c')).record)).toBe('five');
    });

    it('lists live keys page by page in the order of their UTF-8 bytes, and nothing beyond the prefix', async () => {
      for (const key of ['l/a', 'l/b', 'l/ü', 'l/😀', 'l/\uffff', 'l0', 'l/gone'])
        await put(key, key, { metadata: '1' });
      await write({ kind: 'delete', key: 'l/gone' });
      const keys: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await list('l/', 2, cursor);
        expect(page.keys.length).toBeLessThanOrEqual(2);
        for (const listed of page.keys) {
          keys.push(listed.key);
          expect(listed).toMatchObject({ metadata: '1', valueBytes: Buffer.byteLength(listed.key) });
        }
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(keys).toEqual(['l/a', 'l/b', 'l/ü', 'l/\uffff', 'l/😀']);
    });

    it('goes on behind a cursor whose key was deleted meanwhile', async () => {
      for (const key of ['p/1', 'p/2', 'p/3']) await put(key);
      const { cursor } = await list('p/', 1);
      await write({ kind: 'delete', key: 'p/1' }, { kind: 'delete', key: 'p/2' });
      expect((await list('p/', 10, cursor)).keys.map(({ key }) => key)).toEqual(['p/3']);
    });

    it.each([
      ['a key of 513 bytes', { key: 'k'.repeat(513) }],
      ['an empty key', { key: '' }],
      ['a key of one dot', { key: '.' }],
      ['metadata of 1025 bytes', { metadata: JSON.stringify('m'.repeat(1023)) }],
      ['metadata that is no JSON', { metadata: '{' }],
      ['a ttl of 0 seconds', { expiry: { kind: 'in', seconds: 0 } as const }],
      ['an expiry in the past', { expiry: { kind: 'at', seconds: 1 } as const }],
      ['a value of 25 MiB and a byte', { value: Buffer.alloc(limits.valueBytesMax + 1) }],
    ])('refuses %s, and serves on', async (_, bad) => {
      const mutation = { kind: 'put' as const, key: 'bad', value: Buffer.from('v'), ...bad };
      await expect(write(mutation)).rejects.toMatchObject({ name: 'MeridianError', code: 'INVALID_ARGUMENT' });
      expect((await get('bad')).record).toBeUndefined();
    });

    it('refuses a cursor that no list gave, and one of another prefix', async () => {
      await expect(list('p/', 1, 'x')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      for (const key of ['q/1', 'q/2']) await put(key);
      const { cursor } = await list('q/', 1);
      expect(cursor).toBeDefined();
      await expect(list('p/', 1, cursor)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    it('refuses an unknown namespace as NOT_FOUND', async () => {
      await expect(get('k', 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
}

function textOf(record: GetAnswer['record']): string | undefined {
  return record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined;
}
