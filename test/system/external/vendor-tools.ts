import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { npmFolder } from './npm-folder.ts';

/** Programs and suites of others. */
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

/** The tools, installed where they are missing; undefined where they cannot be had. */
export function vendorTools(): VendorTools | undefined {
  const folder = npmFolder({ name: 'vendor-tools', packages, scripted: 'node', works });
  if (folder === undefined) return undefined;
  return { node: nodeOf(folder), file: (path) => join(folder, 'node_modules', path) };
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
