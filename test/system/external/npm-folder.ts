import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface NpmFolderOptions {
  /** Of the folder. */
  readonly name: string;
  readonly packages: Readonly<Record<string, string>>;
  /** The one package whose script is run, as it fetches a program. Default: none. */
  readonly scripted?: string;
  /** Whether what lies in the folder can be used. */
  readonly works: (folder: string) => boolean;
}

/**
 * The path of a folder of npm packages that are too heavy, or ask for too new a Node.js, to be among this package's own. They
 * are installed beside the machine's temporary files, once, and used from there. Undefined, with a loud line that says why,
 * where they cannot be had. They are installed aside and moved into place when they work: two test runs at once do not spoil
 * each other's.
 */
export function npmFolder(options: NpmFolderOptions): string | undefined {
  const { name, packages, works } = options;
  const versions = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `meridian-${name}-${process.arch}-${versions}`);
  if (works(folder)) return folder;
  const complaint = install(folder, options);
  if (complaint === undefined) return folder;
  console.warn(`SKIPPED: npm cannot install ${Object.keys(packages).join(', ')}:\n${complaint}`);
  return undefined;
}

/** What npm said where it failed. */
function install(folder: string, { packages, scripted, works }: NpmFolderOptions): string | undefined {
  const aside = mkdtempSync(`${folder}-`);
  try {
    const allowScripts = scripted === undefined ? {} : { [`${scripted}@${packages[scripted]}`]: true };
    writeFileSync(join(aside, 'package.json'), JSON.stringify({ private: true, dependencies: packages, allowScripts }));
    const run = (args: readonly string[]) =>
      spawnSync('npm', [...args, '--no-audit', '--no-fund', '--prefix', aside], { encoding: 'utf8', timeout: 280_000 });
    // What a package wants beside it is not used here.
    const ran = [run(['install', '--ignore-scripts', '--legacy-peer-deps'])];
    if (scripted !== undefined) ran.push(run(['rebuild', scripted]));
    if (ran[0]?.status !== 0 || !works(aside))
      return ran
        .map(({ stderr }) => stderr)
        .join('')
        .slice(-1000);
    // One that was left there half done, by hand or by an older version of this.
    if (existsSync(folder) && !works(folder)) rmSync(folder, { recursive: true, force: true });
    try {
      renameSync(aside, folder);
    } catch (error) {
      // Another run was faster.
      if (!works(folder)) return String(error);
    }
    return undefined;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}
