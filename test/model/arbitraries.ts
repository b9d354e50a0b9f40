import fc from 'fast-check';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId, Position } from '../../src/model/position.ts';
import type { Session } from '../../src/model/session.ts';
import { counterMax, makeStamp, type Stamp, type StampParts } from '../../src/model/stamp.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';

/** Few of each, so that what is drawn often meets its equal. */
export const logs = ['0000000000000001', '8000000000000000', 'ffffffffffffffff'] as LogId[];
export const namespaces = ['0'.repeat(32), 'a'.repeat(32), 'f'.repeat(32)] as NamespaceId[];

export const anyLog: fc.Arbitrary<LogId> = fc.constantFrom(...logs);
export const anyNamespace: fc.Arbitrary<NamespaceId> = fc.constantFrom(...namespaces);

const sequence = fc.integer({ min: 0, max: 5 });

export const anyPosition: fc.Arbitrary<Position> = fc.record({ log: anyLog, sequence });

export const anyVector: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(anyLog, sequence))
  .map((components) => new Map(components));

export const anyStampParts: fc.Arbitrary<StampParts> = fc.record({
  wallMs: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2 ** 48 - 1 })),
  counter: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: counterMax })),
  log: anyLog,
});

export const anyStamp: fc.Arbitrary<Stamp> = anyStampParts.map(makeStamp);

export const anySession: fc.Arbitrary<Session> = fc.record({ vector: anyVector, stamp: anyStamp });

/** Characters around every corner of UTF-8 and UTF-16: one to four bytes, both sides of the surrogates. */
const corners = ['\0', 'a', 'b', '/', '\x7f', '\x80', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}'];

export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...corners, '\u{10ffff}'), { maxLength: 5 }).map((characters) => characters.join('')),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);

/** Texts of two letters, so that prefixes are often met. */
export const shortText: fc.Arbitrary<string> = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
