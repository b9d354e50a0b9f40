import type { Random } from '../../src/runtime/random.ts';

/** Bytes of an input, at the most. */
export const inputBytesMax = 4096;

/** Numbers at the corners of one, two and four bytes, and what texts are made of. */
const corners = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];
const words = [
  '0',
  '-1',
  '1e999',
  '9007199254740993',
  'null',
  '{}',
  '[]',
  '""',
  '\r\n',
  '\\u0000',
  '%00',
  '%ff',
  '\0',
  '*',
];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const below = (random: Random, end: number): number => Math.floor(random.fraction() * end);

function spliced(bytes: Buffer, from: number, to: number, middle: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
}

function range(bytes: Buffer, random: Random): readonly [from: number, to: number] {
  const from = below(random, bytes.length + 1);
  return [from, from + below(random, Math.min(32, bytes.length - from) + 1)];
}

const mutations: readonly Mutation[] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes);
    const at = below(random, bytes.length);
    if (bytes.length > 0) changed[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
    return changed;
  },
  (bytes, random) => {
    const [from, to] = range(bytes, random);
    return spliced(bytes, from, to, Buffer.alloc(0));
  },
  (bytes, random) => {
    const [from, to] = range(bytes, random);
    return spliced(bytes, to, to, bytes.subarray(from, to));
  },
  (bytes, random) => {
    const at = below(random, bytes.length + 1);
    return spliced(bytes, at, at, Buffer.from(Array.from({ length: 1 + below(random, 4) }, () => below(random, 256))));
  },
  (bytes, random) => {
    const value = corners[below(random, corners.length)] ?? 0;
    const width = [1, 2, 4][below(random, 3)] ?? 1;
    const number = Buffer.alloc(4);
    if (random.fraction() < 0.5) number.writeUInt32LE(value);
    else number.writeUInt32BE((value << (8 * (4 - width))) >>> 0);
    const at = below(random, bytes.length + 1);
    return spliced(bytes, at, at + width, number.subarray(0, width));
  },
  (bytes, random) => {
    const [from, to] = range(bytes, random);
    return spliced(bytes, from, to, Buffer.from(words[below(random, words.length)] ?? ''));
  },
  (bytes, random, other) => {
    const [from, to] = range(other, random);
    const at = below(random, bytes.length + 1);
    return spliced(bytes, at, at + below(random, 2) * (to - from), other.subarray(from, to));
  },
];

/** The input changed in one to eight ways; parts of the other one may come into it. */
export function mutate(bytes: Buffer, other: Buffer, random: Random): Buffer {
  let changed = bytes;
  for (let left = 1 << below(random, 4); left > 0; left--) {
    changed = mutations[below(random, mutations.length)]?.(changed, random, other) ?? changed;
  }
  return changed.subarray(0, inputBytesMax);
}
