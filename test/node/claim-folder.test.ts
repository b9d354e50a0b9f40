import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { claimFolder, type FolderRole } from '../../src/node/claim-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'meridian-claim-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const newPath = () => join(root, `data-${folders++}`, 'deep');

describe.each([
  ['origin', 'edge', ['store', 'aside-1']],
  ['edge', 'origin', ['copy', 'cache']],
] as const)('the data folder of an %s', (role, other, kept) => {
  it('is made and marked, and is taken again by the same role', async () => {
    const folder = newPath();
    await claimFolder(folder, role);
    await claimFolder(folder, role);
    expect(readdirSync(folder)).toEqual(['meridian-role']);
    expect(readFileSync(join(folder, 'meridian-role'), 'utf8')).toBe(`${role}\n`);
  });

  it(`is refused to an ${other}, which writes nothing there`, async () => {
    const folder = newPath();
    await claimFolder(folder, role);
    await expect(claimFolder(folder, other)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `--data ${folder} is the folder of an ${role}; an ${other} needs one of its own`,
    });
    expect(readdirSync(folder)).toEqual(['meridian-role']);
  });

  it.each(kept)('is known by its %s where it was made before folders were marked, and marked then', async (name) => {
    const folder = newPath();
    mkdirSync(join(folder, name), { recursive: true });
    await expect(claimFolder(folder, other)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(existsSync(join(folder, 'meridian-role'))).toBe(false);
    await claimFolder(folder, role);
    expect(existsSync(join(folder, 'meridian-role'))).toBe(true);
  });

  it('may hold files of others, such as a file system’s own', async () => {
    const folder = newPath();
    mkdirSync(join(folder, 'lost+found'), { recursive: true });
    await expect(claimFolder(folder, role)).resolves.toBeUndefined();
  });

  it('is refused where it holds what both roles keep, or says something else', async () => {
    const both = newPath();
    for (const name of ['store', 'cache']) mkdirSync(join(both, name), { recursive: true });
    await expect(claimFolder(both, role)).rejects.toThrow('of an origin and edge');
    const odd = newPath();
    mkdirSync(odd, { recursive: true });
    writeFileSync(join(odd, 'meridian-role'), 'standby\n');
    await expect(claimFolder(odd, role)).rejects.toThrow('of an standby');
  });
});

it('of nodes of both roles that start at once, only one role gets the folder', async () => {
  for (let round = 0; round < 20; round++) {
    const folder = newPath();
    const roles: FolderRole[] = ['origin', 'edge', 'edge', 'origin'];
    const outcomes = await Promise.allSettled(roles.map((role) => claimFolder(folder, role)));
    const winner = readFileSync(join(folder, 'meridian-role'), 'utf8').trim();
    expect(roles.filter((_, i) => outcomes[i]?.status === 'fulfilled')).toEqual([winner, winner]);
  }
});

it('a folder that cannot be made is said to be so', async () => {
  const file = join(root, 'a-file');
  writeFileSync(file, '');
  await expect(claimFolder(join(file, 'data'), 'origin')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
