import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeridianError } from '../model/errors.ts';
import { makeFolder } from '../runtime/make-folder.ts';

export type FolderRole = 'origin' | 'edge';

/** The file in a data folder that says whose it is: one word, and a line feed. */
const roleFile = 'meridian-role';

/** What each role keeps in its folder, by which a folder without the file is known. */
const keeps: Readonly<Record<FolderRole, readonly string[]>> = {
  origin: ['store', 'aside-1'],
  edge: ['copy', 'cache'],
};

/**
 * Makes the folder where it is missing, and marks it as this role's where it has none yet. An edge over an origin's
 * folder would run beside it unnoticed, for their stores have different names; an origin over an edge's folder would
 * found another cluster there.
 * @throws INVALID_ARGUMENT where it is another role's, before anything is written; UNAVAILABLE where it cannot be used
 */
export async function claimFolder(folder: string, role: FolderRole): Promise<void> {
  try {
    const said = await saidBy(folder);
    const found = said ?? heldBy(folder) ?? role;
    if (found !== role) throw notOurs(folder, role, found);
    if (said !== undefined) return;
    const marked = await mark(folder, role);
    if (marked !== role) throw notOurs(folder, role, marked);
  } catch (error) {
    if (error instanceof MeridianError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new MeridianError('UNAVAILABLE', `the data folder ${folder} cannot be used: ${why}`, {
      reason: 'data-folder',
      cause: error,
    });
  }
}

async function saidBy(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, roleFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text?.trim();
}

/** Of a folder that an earlier version made, or in which the file was lost. */
function heldBy(folder: string): string | undefined {
  const roles = ['origin', 'edge'] as const;
  const held = roles.filter((role) => keeps[role].some((name) => existsSync(join(folder, name))));
  return held.length === 0 ? undefined : held.join(' and ');
}

/** Returns the role that the folder has then: of two nodes that start at once, one comes first. */
async function mark(folder: string, role: FolderRole): Promise<string> {
  await makeFolder(folder);
  const draft = join(folder, `${roleFile}.${randomUUID()}`);
  const file = await open(draft, 'w');
  try {
    await file.writeFile(`${role}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // A link, unlike a renamed file, replaces nothing; some file systems have none.
  await link(draft, join(folder, roleFile)).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') await rename(draft, join(folder, roleFile));
  });
  await rm(draft, { force: true });
  return (await saidBy(folder)) ?? role;
}

function notOurs(folder: string, role: FolderRole, found: string): MeridianError {
  const message = `--data ${folder} is the folder of an ${found}; an ${role} needs one of its own`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'data-folder-role' });
}
