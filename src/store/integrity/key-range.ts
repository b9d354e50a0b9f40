/** Keys of the database as LevelDB orders them, by their bytes; both ends included. */
export interface KeyRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

export function isWithin(ranges: readonly KeyRange[], key: string): boolean {
  if (ranges.length === 0) return false;
  const bytes = Buffer.from(key);
  return ranges.some(({ from, to }) => Buffer.compare(from, bytes) <= 0 && Buffer.compare(bytes, to) <= 0);
}

/** The parts of these ranges in the table with that letter. */
export function rangesIn(table: string, ranges: readonly KeyRange[]): KeyRange[] {
  const first = Buffer.from(table);
  const last = Buffer.concat([first, Buffer.alloc(4, 0xff)]);
  return ranges.flatMap(({ from, to }) => {
    if (Buffer.compare(from, last) > 0 || Buffer.compare(to, first) < 0) return [];
    return [{ from: Buffer.compare(from, first) < 0 ? first : from, to: Buffer.compare(to, last) > 0 ? last : to }];
  });
}

export function encodeRanges(ranges: readonly KeyRange[]): string {
  return JSON.stringify(ranges.map(({ from, to }) => [from.toString('hex'), to.toString('hex')]));
}

/** @throws what JSON.parse throws */
export function decodeRanges(text: string): KeyRange[] {
  const pairs = JSON.parse(text) as ReadonlyArray<readonly [string, string]>;
  return pairs.map(([from, to]) => ({ from: Buffer.from(from, 'hex'), to: Buffer.from(to, 'hex') }));
}
