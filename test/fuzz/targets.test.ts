import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targets } from './targets.ts';

const corpus = join(import.meta.dirname, 'corpus');

/** Inputs that once broke a decoder, as `npm run fuzz` keeps them. */
function found(name: string): readonly Buffer[] {
  const folder = join(corpus, name);
  return existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file))) : [];
}

/** A seed with bytes changed, left out, put in or repeated. */
function changed(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    at: fc.nat(),
    remove: fc.nat(3),
    insert: fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.constantFrom(...seeds)),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 6 })).map(([seed, edits]) => {
    return edits.reduce((bytes: Buffer, { at, remove, insert }) => {
      const from = at % (bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
    }, seed);
  });
}

describe.each(targets)('$name', ({ name, run, seeds }) => {
  it('keeps its promises for its seeds, and for all that once broke them', async () => {
    expect(seeds().length).toBeGreaterThan(0);
    for (const bytes of [...seeds(), ...found(name)]) await run(Buffer.from(bytes));
  });

  it('keeps them for any bytes, and for any change of a seed', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      { arbitrary: changed(seeds()), weight: 4 },
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (input) => run(input)),
      { numRuns: 500 },
    );
  });
});

it('has a target for every folder of the corpus', () => {
  const names = new Set(targets.map(({ name }) => name));
  expect(names.size).toBe(targets.length);
  for (const folder of existsSync(corpus) ? readdirSync(corpus) : []) expect([...names]).toContain(folder);
});
