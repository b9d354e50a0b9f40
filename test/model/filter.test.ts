import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  containsFilter,
  containsRange,
  everything,
  type Filter,
  filterKey,
  type KeyRange,
  matches,
  rangesOf,
} from '../../src/model/filter.ts';
import { compareKeys } from '../../src/model/key.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { anyNamespace, namespaces, shortText } from './arbitraries.ts';

const anyRange: fc.Arbitrary<KeyRange> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ namespace: anyNamespace, prefix: shortText }) },
  { weight: 1, arbitrary: fc.constant<KeyRange>({ namespace: '*', prefix: '' }) },
);

const anyFilter: fc.Arbitrary<Filter> = fc.record({
  includes: fc.array(anyRange, { maxLength: 3 }),
  excludes: fc.array(anyRange, { maxLength: 2 }),
});

/** Every key of up to five letters; the prefixes that are drawn have up to four, so a key lies beyond each. */
const universe: ReadonlyArray<readonly [NamespaceId, string]> = namespaces.flatMap((namespace) => {
  const texts = [''];
  for (const text of texts) if (text.length < 5) texts.push(`${text}a`, `${text}b`);
  return texts.map((text) => [namespace, text] as const);
});

function inOrder([a, key]: readonly [string, string], [b, other]: readonly [string, string]): number {
  return a === b ? compareKeys(key, other) : a < b ? -1 : 1;
}

function only(range: KeyRange): Filter {
  return { includes: [range], excludes: [] };
}

describe('a filter', () => {
  it('matches what some include covers and no exclude does', () => {
    fc.assert(
      fc.property(anyFilter, fc.constantFrom(...universe), (filter, [namespace, key]) => {
        const hit = (range: KeyRange) =>
          (range.namespace === '*' || range.namespace === namespace) && key.indexOf(range.prefix) === 0;
        expect(matches(filter, namespace, key)).toBe(filter.includes.some(hit) && !filter.excludes.some(hit));
      }),
    );
  });

  it('contains a range only if it matches each of its keys', () => {
    fc.assert(
      fc.property(anyFilter, anyRange, (filter, range) => {
        fc.pre(containsRange(filter, range));
        const inside = universe.filter(([namespace, key]) => matches(only(range), namespace, key));
        for (const [namespace, key] of inside) expect(matches(filter, namespace, key)).toBe(true);
      }),
    );
  });

  it('contains a range that one include holds and no exclude touches, and not one that an exclude touches', () => {
    fc.assert(
      fc.property(anyRange, shortText, (range, more) => {
        const inner = range.namespace === '*' ? range : { ...range, prefix: range.prefix + more };
        expect(containsRange(only(range), inner)).toBe(true);
        expect(containsRange({ includes: [range], excludes: [inner] }, range)).toBe(false);
        expect(containsRange(everything, range)).toBe(true);
      }),
    );
  });

  it('contains another filter only if it matches all that the other does', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, (outer, inner) => {
        fc.pre(containsFilter(outer, inner));
        const inside = universe.filter(([namespace, key]) => matches(inner, namespace, key));
        for (const [namespace, key] of inside) expect(matches(outer, namespace, key)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('contains itself, and is contained in everything', () => {
    fc.assert(
      fc.property(anyFilter, (filter) => {
        expect(containsFilter(everything, filter)).toBe(true);
        expect(containsFilter(filter, filter)).toBe(true);
      }),
    );
  });

  it('has a text that tells it from every filter with other ranges, and from none with the same', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, (a, b) => {
        const reversed = { includes: [...a.includes].reverse(), excludes: [...a.excludes].reverse() };
        expect(filterKey(reversed)).toBe(filterKey(a));
        if (filterKey(a) !== filterKey(b)) return;
        for (const [namespace, key] of universe) expect(matches(a, namespace, key)).toBe(matches(b, namespace, key));
      }),
    );
  });

  it('is walked over ranges that hold each of its keys once, in the order of records', () => {
    fc.assert(
      fc.property(anyFilter, ({ includes }) => {
        const ranges = rangesOf({ includes, excludes: [] });
        const walked = ranges.flatMap((range) => {
          return universe.filter(([namespace, key]) => matches(only(range), namespace, key));
        });
        const matched = universe.filter(([namespace, key]) => matches({ includes, excludes: [] }, namespace, key));
        expect(walked.toSorted(inOrder)).toEqual(matched.toSorted(inOrder));
        const starts = ranges.map(({ namespace, prefix }) => [namespace, prefix] as const);
        expect(starts).toEqual(starts.toSorted(inOrder));
      }),
    );
  });
});
