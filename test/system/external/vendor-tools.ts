import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Programs and suites that are too heavy, or ask for too new a Node.js, to be among this package's own: installed by
 * npm into a folder beside the machine's temporary files, once, and used from there.
 */
const packages: Readonly<Record<string, string>> = {
  node: '24.21.0',
  wrangler: '4.164.0',
  miniflare: '5.20261117.0-beta',
  keyv: '5.6.0',
  '@keyv/test-suite': '2.1.2',
  '@keyv/redis': '5.1.6',
};

export interface Ran {
  readonly status: number | null;
  readonly output: string;
}

export interface VendorTools {
  /** The path of a Node.js that the vendor's tools accept. */
  readonly node: string;
  /** The path of a file of an installed package. */
  readonly file: (path: string) => string;
}

/**
 * The tools, installed where they are missing; undefined, with a loud line that says why, where they cannot be had. They
 * are installed aside and moved into place when they work: two test runs at once do not spoil each other's.
 */
export function vendorTools(): VendorTools | undefined {
  const versions = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `meridian-vendor-tools-${process.arch}-${versions}`);
  if (!works(folder)) {
    const complaint = install(folder);
    if (complaint !== undefined) {
      console.warn(`SKIPPED: npm cannot install ${Object.keys(packages).join(', ')}:\n${complaint}`);
      return undefined;
    }
  }
  return { node: nodeOf(folder), file: (path) => join(folder, 'node_modules', path) };
}

/** What npm said where it failed. */
function install(folder: string): string | undefined {
  const aside = mkdtempSync(`${folder}-`);
  try {
    const manifest = {
      private: true,
      dependencies: packages,
      // This one fetches the platform's program; the others' scripts, a compiler's among them, are not needed.
      allowScripts: { [`node@${packages['node']}`]: true },
    };
    writeFileSync(join(aside, 'package.json'), JSON.stringify(manifest));
    const run = (args: readonly string[]) =>
      spawnSync('npm', [...args, '--no-audit', '--no-fund', '--prefix', aside], { encoding: 'utf8', timeout: 280_000 });
    const ran = [run(['install', '--ignore-scripts']), run(['rebuild', 'node'])];
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

function works(folder: string): boolean {
  return spawnSync(nodeOf(folder), ['--version'], { encoding: 'utf8' }).stdout?.startsWith('v24.') === true;
}

function nodeOf(folder: string): string {
  return join(folder, 'node_modules/node/bin/node');
}

/** Runs a program of theirs to its end, its streams joined. */
export function runTool(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, output }));
  });
}
