import { ByteReader } from './byte-reader.ts';

/** One change of a batch; without a value it is a deletion. */
export interface BatchChange {
  readonly key: Buffer;
  readonly value?: Buffer;
}

export interface WriteBatch {
  /** LevelDB's own number of the first change; the batch that follows begins `count` later. */
  readonly sequence: number;
  readonly count: number;
  /** Decoded while they are read. @throws RangeError if they are not changes */
  readonly changes: Iterable<BatchChange>;
}

const changesAt = 12;
const putTag = 1;

/** Parses a record of a write-ahead log: sequence 8, count 4, changes. Undefined if it is too short. */
export function parseWriteBatch(record: Buffer): WriteBatch | undefined {
  if (record.length < changesAt) return undefined;
  const sequence = record.readUInt32LE(0) + record.readUInt32LE(4) * 2 ** 32;
  return { sequence, count: record.readUInt32LE(8), changes: { [Symbol.iterator]: () => changesOf(record) } };
}

function* changesOf(record: Buffer): Generator<BatchChange> {
  const reader = new ByteReader(record, changesAt);
  while (!reader.done) {
    const [tag] = reader.take(1);
    const key = reader.text();
    yield tag === putTag ? { key, value: reader.text() } : { key };
  }
}
