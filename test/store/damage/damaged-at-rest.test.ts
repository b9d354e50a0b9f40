/*
 * What a store does with damage that came while it was closed: nothing acknowledged is lost without a word, nothing is
 * answered that was not written, and the process lives. Few tries each by default; by hand, with a table at the end:
 *
 *     DAMAGE_TRIES=100 npx vitest run --project unit test/store/damage
 */
import { appendFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLevelStore } from '../../../src/store/level-store.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { makeFolder } from '../level-folder.ts';
import {
  change,
  chooseFile,
  cut,
  flipBit,
  makeSample,
  onCopy,
  type Sample,
  smallTables,
  zero,
} from './damaged-copy.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

const tries = Number(process.env['DAMAGE_TRIES'] ?? 3);

const commits = 1000;

type Damage = (path: string, random: SeededRandom) => Promise<void>;

const onFile =
  (like: RegExp, edit: (random: SeededRandom) => (bytes: Buffer) => Buffer): Damage =>
  async (path, random) =>
    change(await chooseFile(path, like, random), edit(random));

const log = /^\d+\.log$/;
const table = /^\d+\.ldb$/;
const named = /^(MANIFEST-\d+|CURRENT)$/;

/** `seen`: what at least one try comes to, since chance may as well hit bytes that hold nothing. */
const damages: ReadonlyArray<{ readonly name: string; readonly damage: Damage; readonly seen?: 'refused' | 'lost' }> = [
  { name: 'one bit of the write-ahead log', damage: onFile(log, flipBit), seen: 'refused' },
  { name: '4 KiB of zeros in the write-ahead log', damage: onFile(log, (r) => zero(4096, r)), seen: 'refused' },
  { name: 'a write-ahead log that is cut', damage: onFile(log, cut), seen: 'refused' },
  {
    name: 'a write-ahead log that is gone',
    damage: async (path, random) => rm(await chooseFile(path, log, random)),
    seen: 'refused',
  },
  { name: 'one bit of a table', damage: onFile(table, flipBit), seen: 'lost' },
  { name: '512 bytes of zeros in a table', damage: onFile(table, (r) => zero(512, r)), seen: 'lost' },
  { name: '4 KiB of zeros in a table', damage: onFile(table, (r) => zero(4096, r)), seen: 'lost' },
  { name: 'a table that is cut', damage: onFile(table, cut), seen: 'refused' },
  {
    name: 'a table that is gone',
    damage: async (path, random) => rm(await chooseFile(path, table, random)),
    seen: 'refused',
  },
  { name: 'one bit of MANIFEST or CURRENT', damage: onFile(named, flipBit) },
  { name: 'a MANIFEST that is cut', damage: onFile(/^MANIFEST/, cut) },
  { name: 'one bit of ACKNOWLEDGED', damage: onFile(/^ACKNOWLEDGED$/, flipBit) },
];

let folder: Awaited<ReturnType<typeof makeFolder>>;
let sample: Sample;
const figures: string[] = [];

beforeAll(async () => {
  folder = await makeFolder();
  sample = await makeSample(join(folder.path, 'store'), commits);
});

afterAll(async () => {
  await folder.remove();
  if (process.env['DAMAGE_TRIES'] !== undefined) console.log(figures.join('\n'));
});

describe('a store that was damaged while it was closed', () => {
  it('is as it was where it was not', async () => {
    expect(await onCopy(sample, (path) => outcomeOf(path, sample))).toMatchObject({ kind: 'opened', lost: 0 });
  });

  it.each(damages)(
    'by $name, is refused or answers all but what was lost, says what that is, and heals',
    async ({ name, damage, seen }) => {
      const outcomes: Outcome[] = [];
      for (let seed = 1; seed <= tries; seed++) {
        outcomes.push(
          await onCopy(sample, async (path) => {
            await damage(path, new SeededRandom(seed));
            return outcomeOf(path, sample).catch((error: unknown) => {
              throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
            });
          }),
        );
      }
      figures.push(describeOutcomes(name, outcomes));
      const kinds = outcomes.map((outcome) => (outcome.kind === 'opened' && outcome.lost > 0 ? 'lost' : outcome.kind));
      if (seen !== undefined) expect(kinds).toContain(seen);
    },
    1_000 * (20 + tries * 3),
  );

  it('is opened, whole, where a power cut tore the last write that nobody was told of', async () => {
    for (const torn of [Buffer.alloc(3000), Buffer.from('half a record'), Buffer.alloc(40_000, 0xa5)]) {
      await onCopy(sample, async (path) => {
        await appendFile(await chooseFile(path, log, new SeededRandom(1)), torn);
        expect(await outcomeOf(path, sample)).toMatchObject({ kind: 'opened', lost: 0 });
      });
    }
  });

  it('goes on without the missing commits where that is accepted, once, and knows how many they were', async () => {
    await onCopy(sample, async (path) => {
      await change(await chooseFile(path, log, new SeededRandom(1)), (bytes) => bytes.fill(0, 100, 120));
      await expect(openLevelStore(path, smallTables)).rejects.toMatchObject({
        code: 'DATA_LOSS',
        details: { reason: 'acknowledged-commits-missing' },
      });
      const store = await openLevelStore(path, { ...smallTables, acceptLoss: true });
      const last = Number(new TextDecoder().decode(await store.meta('n')));
      expect(store.condition().acceptedLoss).toBe(commits - last);
      expect(last).toBeLessThan(commits);
      await store.close();
      const again = await openLevelStore(path, smallTables);
      expect(again.condition().acceptedLoss).toBe(0);
      await again.close();
    });
  });

  it('is refused where its newest log was put aside and comes back whole with it', async () => {
    await onCopy(sample, async (path) => {
      const file = await chooseFile(path, log, new SeededRandom(1));
      await rename(file, `${file}-aside`);
      await expect(openLevelStore(path, smallTables)).rejects.toThrow(`to ${commits} are missing`);
    });
  });
});

function describeOutcomes(name: string, outcomes: readonly Outcome[]): string {
  const refused = outcomes.filter(({ kind }) => kind === 'refused').length;
  const lost = outcomes.flatMap((outcome) => (outcome.kind === 'opened' ? [outcome.lost] : []));
  const some = lost.filter((count) => count > 0);
  const most = Math.max(0, ...lost);
  return `| ${name} | ${outcomes.length} | ${refused} | ${lost.length - some.length} | ${some.length} (at most ${most} keys) |`;
}
