import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

/** The tools, installed where they are missing; undefined, with a loud line that says why, where they cannot be had. */
export function vendorTools(): VendorTools | undefined {
  const folder = join(tmpdir(), `meridian-vendor-tools-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  const manifest = {
    private: true,
    dependencies: packages,
    // This one fetches the platform's program; the others' scripts, a compiler's among them, are not needed.
    allowScripts: { [`node@${packages['node']}`]: true },
  };
  const marker = join(folder, 'installed.json');
  const file = (path: string) => join(folder, 'node_modules', path);
  const node = file('node/bin/node');
  const works = () => spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.startsWith('v24.') === true;
  if (!isCurrent(marker) || !works()) {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    const run = (args: readonly string[]) =>
      spawnSync('npm', [...args, '--no-audit', '--no-fund', '--prefix', folder], {
        encoding: 'utf8',
        timeout: 280_000,
      });
    const installed = run(['install', '--ignore-scripts']);
    const fetched = run(['rebuild', 'node']);
    if (installed.status !== 0 || !works()) {
      console.warn(`SKIPPED: npm cannot install ${Object.keys(packages).join(', ')}:`);
      console.warn(`${installed.stderr}${fetched.stderr}`.slice(-1000));
      return undefined;
    }
    writeFileSync(marker, JSON.stringify(packages));
  }
  return { node, file };
}

function isCurrent(marker: string): boolean {
  try {
    return JSON.stringify(createRequire(import.meta.url)(marker)) === JSON.stringify(packages);
  } catch {
    return false;
  }
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
