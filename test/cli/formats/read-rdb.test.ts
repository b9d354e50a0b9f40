import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../../src/cli/formats/rdb/crc64.ts';
import { unpackLzf } from '../../../src/cli/formats/rdb/lzf.ts';
import { readRdb } from '../../../src/cli/formats/rdb/read-rdb.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
import { commandLine } from '../fake-terminal.ts';

/** What Redis 7.0.15 saved of some keys of every type, in two databases. */
const saved = Buffer.from(
  'UkVESVMwMDEw+glyZWRpcy12ZXIGNy4wLjE1+gpyZWRpcy1iaXRzwED6BWN0aW1lwvtMDGv6CHVzZWQtbWVtwnjSEQD6CGFvZi1iYXNlwAD+APsPAQICc3QCAWIBYQAFcGxhaW4EdGV4dAAEaW50OMD7EQF6Dw8AAAACAIFtAoMxLjUE/wAEbG9uZ8MaQlgMbG9yZW0gaXBzdW0gbOD/C+H/B+EwBwFtIBIBbAECEBAAAAADAIFhAoFiAoFjAv8AAv/+AXYTAXgBEAAAAaIoDLaIAAAAAAAAAAAdHQAAAAoAAQEAAQEBgWYCAAECAQABAAGBdgIEAf8BgQAAAaIoDLaIAIEAAAGiKAy2iAAAAAEBAWeBAAABoigMtogAAQEAAAGiKAy2iAAAAAAAAAAAkLYMKKIBAAABAQFjkLYMKKIBAAABAAABoigMtogAAAAAAAAAABABaA0NAAAAAgCBZgKBdgL/AAVlbXB0eQAABWludDE2wdIEAAnDvC/ml6XmnKwCw6T89NnDLLsDAAAAB2V4cGlyZXMBdgsBcw4CAAAAAwAAAAEAAgADAAAFaW50MzLC6zKk+P4D+wEAAAVvdGhlcsAB/wYm2MIcZNgs',
  'base64',
);

/** A file of these parts, with its sound end. */
function rdbOf(...parts: ReadonlyArray<Uint8Array | string | readonly number[]>): Buffer {
  const body = Buffer.concat(['REDIS0010', ...parts, [0xff]].map((part) => Buffer.from(part as string)));
  const crc = new Crc64();
  crc.add(body);
  const end = Buffer.alloc(8);
  end.writeBigUInt64LE(crc.value);
  return Buffer.concat([body, end]);
}

async function* chunksOf(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Uint8Array, database = 0, size = 7) {
  const notes: string[] = [];
  const unread: string[] = [];
  const records: unknown[] = [];
  const reading = {
    database,
    note: (line: string) => void notes.push(line),
    unread: (why: UsageError) => {
      unread.push(why.message);
      return undefined;
    },
  };
  for await (const record of readRdb(chunksOf(bytes, size), reading)) {
    if (record === undefined) continue;
    const { key, value, expiration } = record;
    records.push([key, Buffer.from(value).toString(), ...(expiration === undefined ? [] : [expiration])]);
  }
  return { records, notes, unread };
}

describe('an RDB file', () => {
  it.each([1, 7, 4096])(
    'gives the strings of its first database, however they are written, by chunks of %d',
    async (size) => {
      const { records, notes, unread } = await read(saved, 0, size);
      expect(new Map((records as Array<[string, string]>).map(([key, value]) => [key, value]))).toEqual(
        new Map([
          ...[['plain', 'text'] as const, ['empty', ''] as const, ['int8', '-5'] as const, ['int16', '1234'] as const],
          ...[['int32', '-123456789'] as const, ['ü/日本', 'ä'] as const, ['expires', 'v'] as const],
          ['long', `${'lorem ipsum '.repeat(50)}`],
        ]),
      );
      // 4102444800.5 s, and never a second too early.
      expect(records).toContainEqual(['expires', 'v', 4102444801]);
      expect(unread).toEqual(['the key "\\xff\\xfe" is no UTF-8']);
      expect(notes).toHaveLength(1);
      for (const part of ['2 keys of type set', '1 keys of type zset', '1 keys of type stream', '1 keys of type hash'])
        expect(notes[0]).toContain(part);
      expect(notes[0]).toContain('1 keys of type list');
      expect(notes[0]).toContain('1 keys in database 3');
    },
  );

  it('gives those of another database where that is asked for', async () => {
    const { records, notes } = await read(saved, 3);
    expect(records).toEqual([['other', '1']]);
    expect(notes[0]).toMatch(/^left out: \d+ keys in database 0$/);
  });

  it('is refused where a byte of it is another one, wherever that is', async () => {
    const outcomes = new Set<string>();
    for (let at = 0; at < saved.length; at++) {
      const damaged = Buffer.from(saved);
      damaged[at] = (damaged[at] ?? 0) ^ 0x01;
      const outcome = await read(damaged).then(
        () => 'taken',
        (error: unknown) => (error instanceof UsageError ? 'refused' : String(error)),
      );
      outcomes.add(outcome);
    }
    expect([...outcomes]).toEqual(['refused']);
  });

  it('is refused where it is cut off, wherever that is', async () => {
    for (let length = 0; length < saved.length; length++) {
      await expect(read(saved.subarray(0, length))).rejects.toThrow(/the file ends at byte \d+, within a record/);
    }
  });

  it('is taken where its server wrote no checksum', async () => {
    const file = rdbOf([0, 1], 'k', [1], 'v');
    file.fill(0, file.length - 8);
    expect((await read(file)).records).toEqual([['k', 'v']]);
  });

  it('is taken without a checksum where its version has none', async () => {
    const file = Buffer.from(rdbOf([0, 1], 'k', [1], 'v').toString('latin1').replace('0010', '0004'), 'latin1');
    expect((await read(file.subarray(0, -8))).records).toEqual([['k', 'v']]);
  });

  it.each([1, 7, 4096])('is refused where more follows, as the commands of an append-only file: %d', async (size) => {
    const file = Buffer.concat([saved, Buffer.from('*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n')]);
    await expect(read(file, 0, size)).rejects.toThrow(`ends at byte ${saved.length}, and more follows`);
  });

  it.each([
    [Buffer.from('PK\u0003\u0004 no RDB'), 'this is no RDB file'],
    [rdbOf([6, 1], 'k', [0]), 'the key "k" at byte 12 of the file has the RDB type 6, which is not known here'],
    [rdbOf([0, 1], 'k', [0xc3, 3, 5, 0x20, 0, 0]), 'is no sound LZF'],
  ])('that is none, or holds what nobody can pass by, is refused', async (file, why) => {
    await expect(read(file)).rejects.toThrow(why);
  });

  it('passes a value by that is too large, holding none of it, and says so', async () => {
    const length = Buffer.alloc(5, 0x80);
    const bytes = 30 * 1024 * 1024;
    length.writeUInt32BE(bytes, 1);
    const file = rdbOf([0, 1], 'k', length, Buffer.alloc(bytes), [0, 1], 'l', [1], 'v');
    const { records, unread } = await read(file, 0, 65_536);
    expect(records).toEqual([['l', 'v']]);
    expect(unread).toEqual(['the value of "k" has 31457280 bytes; at most 26214400 are taken']);
  });
});

describe('what it is made of', () => {
  it('sums up as Redis does', () => {
    const crc = new Crc64();
    crc.add(Buffer.from('1234'));
    crc.add(Buffer.from('56789'));
    expect(crc.value).toBe(0xe9c6d914c4b8d9can);
  });

  it('unpacks literals and references, also to what they are writing, and nothing unsound', () => {
    const packed = [2, 0x61, 0x62, 0x63, 0xe0, 3, 2];
    expect(Buffer.from(unpackLzf(Buffer.from(packed), 15) ?? []).toString()).toBe('abcabcabcabcabc');
    expect(unpackLzf(Buffer.from(packed), 14)).toBeUndefined();
    expect(unpackLzf(Buffer.from(packed), 16)).toBeUndefined();
    expect(unpackLzf(Buffer.from([0x20, 9]), 3)).toBeUndefined();
    expect(unpackLzf(Buffer.from([5, 1]), 6)).toBeUndefined();
  });
});

it('is imported and compared as other files are, by its name or --format', async () => {
  const { run } = commandLine();
  const imported = await run('import flags - --format rdb --on-error skip --skipped /dev/null', saved);
  expect([imported.exitCode, imported.output]).toEqual([0, expect.stringMatching(/^8 records imported, 1 skipped/)]);
  expect(imported.notes[0]).toMatch(/^left out: /);
  expect((await run('get flags int8')).output).toBe('-5');
  expect((await run('diff flags - --format rdb --database 3', saved)).output).toContain('+ other\n- ');
  expect((await run('import flags - --format csv --database 3', '')).notes[0]).toContain('--database is for RDB');
  expect((await run('import flags - --format rdb --database x', '')).notes[0]).toContain('--database must be');
});
