import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileFormat, formatOf } from '../../../src/cli/formats/file-format.ts';
import type { ImportRecord } from '../../../src/cli/formats/import-record.ts';
import { readCsv } from '../../../src/cli/formats/read-csv.ts';
import { readObjects } from '../../../src/cli/formats/read-objects.ts';
import { closingText, type ExportRecord, recordText } from '../../../src/cli/formats/write-records.ts';

/** The bytes cut into chunks of that size, so that every boundary falls everywhere once. */
async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
}

function textOf(format: FileFormat, records: readonly ExportRecord[]): string {
  const texts = records.map((record, i) => recordText(format, record, i === 0));
  return texts.join('') + closingText(format, records.length);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const read = (format: FileFormat, text: string | Uint8Array, chunkBytes = 7): Promise<ImportRecord[]> => {
  const chunks = chunksOf(Buffer.from(text), chunkBytes);
  return all(format === 'csv' ? readCsv(chunks, {}) : readObjects(chunks));
};

const record: fc.Arbitrary<ExportRecord> = fc.record({
  name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
  ),
  metadata: fc.option(
    fc.jsonValue().filter((value) => value !== null),
    { nil: null },
  ),
  expiration: fc.option(fc.integer({ min: 1, max: 253_402_300_799 }), { nil: null }),
});

describe.each(['ndjson', 'csv', 'workers-kv'] as const)('%s', (format) => {
  test('what is exported is imported again, bytes, metadata and expiry, however the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), async (records, size) => {
        const text = textOf(format, records);
        const again = await read(format, text, size);
        const expected = records.map(({ name, value, metadata, expiration }) => ({
          key: name,
          value: Buffer.from(value).toString('hex'),
          metadata: metadata === null ? undefined : JSON.parse(JSON.stringify(metadata)),
          expiration: expiration ?? undefined,
        }));
        const seen = again.map(({ key, value, metadata, expiration }) => ({
          key,
          value: Buffer.from(value).toString('hex'),
          metadata,
          expiration,
        }));
        expect(seen).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

test('the bulk form of Workers KV is one array, also of nothing', () => {
  expect(JSON.parse(textOf('workers-kv', []))).toEqual([]);
  const value = Uint8Array.of(0xff, 0x00);
  expect(JSON.parse(textOf('workers-kv', [{ name: 'k', value, metadata: { a: 1 }, expiration: 9 }]))).toEqual([
    { key: 'k', value: '/wA=', base64: true, expiration: 9, metadata: { a: 1 } },
  ]);
});

test('braces, quotes and backslashes inside texts end no object', async () => {
  const value = '}{"\\"}]\\';
  const [first] = await read('ndjson', `${JSON.stringify({ key: 'k', value })}\n`, 1);
  expect(Buffer.from(first?.value ?? []).toString()).toBe(value);
});

test('a byte order mark is skipped', async () => {
  expect(await read('ndjson', '\ufeff{"key":"a","value":"1"}', 2)).toHaveLength(1);
  expect(await read('csv', '\ufeffkey,value\na,1\n', 2)).toHaveLength(1);
});

test('what is no record is refused with its place', async () => {
  await expect(read('ndjson', '{"key":"a","value":"1"}\noops')).rejects.toThrow('stands between objects');
  await expect(read('ndjson', '{"key":"a","value":"1"}\n{"key":')).rejects.toThrow('ends within record 2');
  await expect(read('ndjson', '{"value":"1"}')).rejects.toThrow('record 1 has no "key"');
  await expect(read('ndjson', '{"key":"a"}')).rejects.toThrow('record 1 has no "value"');
  await expect(read('ndjson', '{"key":"a","value":"","expiration":1.5}')).rejects.toThrow('whole seconds');
  const broken = '{"key":"a","value":"not, base64","base64":true}';
  await expect(read('ndjson', broken)).rejects.toThrow('record 1: "value" is said to be base64 and is not');
  await expect(read('csv', 'key,value\na,{"b":1}\n')).rejects.toThrow('no sound CSV');
  await expect(read('csv', 'key,value\na\n')).rejects.toThrow('no sound CSV');
  await expect(read('csv', 'a,b\n1,2\n')).rejects.toThrow('no column "key"');
});

test('an array that does not end is cut off, and is not taken for whole', async () => {
  const one = '{"key":"a","value":"1"}';
  await expect(read('workers-kv', `[${one},\n${one}`)).rejects.toThrow('ends within its array, behind record 2');
  expect(await read('workers-kv', `[${one},\n${one}]`)).toHaveLength(2);
  expect(await read('ndjson', `${one}\n${one}`)).toHaveLength(2);
});

test('a CSV row without a value column is imported whole, as JSON', async () => {
  const chunks = chunksOf(Buffer.from('1.0.0.0,1.0.0.255,AU\n'), 5);
  const [first] = await all(readCsv(chunks, { columns: ['start', 'end', 'country'], keyColumn: 'start' }));
  expect(first?.key).toBe('1.0.0.0');
  expect(JSON.parse(Buffer.from(first?.value ?? []).toString())).toEqual({
    start: '1.0.0.0',
    end: '1.0.0.255',
    country: 'AU',
  });
});

test('the format is the one named, else the one that the name ends with', () => {
  expect(formatOf(undefined, 'a/b.CSV')).toBe('csv');
  expect(formatOf(undefined, 'x.jsonl')).toBe('ndjson');
  expect(formatOf('csv', 'x.json')).toBe('csv');
  expect(() => formatOf(undefined, 'x.txt')).toThrow('--format is missing');
  expect(() => formatOf(undefined, '-')).toThrow('--format is missing');
});
