import { spawn } from 'node:child_process';
import { vendorTools } from '../../system/external/vendor-tools.ts';
import type { BenchRun } from './bench-run.ts';

/** Answers where it listens on its first line; its arguments are miniflare's folder, the Worker's source, a key and a value. */
const script = `
const [entry, source, key, value] = process.argv.slice(1);
const { convertV4MiniflareOptions, Miniflare } = require(entry);
const options = { modules: true, script: source, kvNamespaces: ['KV'], compatibilityDate: '2025-09-01', port: 0 };
const runtime = new Miniflare(convertV4MiniflareOptions(options));
runtime.ready.then(async (url) => {
  await (await runtime.getKVNamespace('KV')).put(key, value);
  console.log(url.href);
});
process.stdin.resume().once('end', () => runtime.dispose());
`;

/** The same Worker over the KV of the vendor's simulator, at its URL; undefined where that cannot be installed. */
export async function startMiniflare(
  run: BenchRun,
  source: string,
  key: string,
  value: string,
): Promise<string | undefined> {
  const tools = vendorTools();
  if (tools === undefined) return undefined;
  const args = ['-e', script, tools.file('miniflare'), source, key, value];
  const child = spawn(tools.node, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  run.onEnd(() => {
    child.stdin.end();
    return exited;
  });
  for await (const line of child.stdout) return String(line).trim().replace(/\/$/, '');
  throw new Error('miniflare did not start');
}
