import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from '../usage-error.ts';

/** What a file is to a command, such as `--skipped`, and its path. */
export type NamedFile = readonly [what: string, path: string];

/** Whoever writes one file would destroy another one that is the same, by whatever path. @throws UsageError */
export async function refuseSameFiles(files: readonly NamedFile[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const [what, path] of files) {
    const identity = await identityOf(path);
    const other = seen.get(identity);
    if (other !== undefined) throw new UsageError(`${what} and ${other} are the same file: ${path}`);
    seen.set(identity, what);
  }
}

async function identityOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? resolve(path) : `${found.dev}:${found.ino}`;
}
