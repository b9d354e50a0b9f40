// Makes a fresh clone ready: installs the locked packages where any is missing, and builds dist where it is older than
// the sources. Run by `npm test`, `npm run demo` and the like, so that each of them is one command. With --clean, before
// a package is made, dist is built from nothing: what an earlier build left of a source that is gone would be shipped.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

function missingPackages() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return true;
  const installed = read('node_modules/.package-lock.json').packages;
  return Object.entries(read('package-lock.json').packages).some(
    ([path, { version, optional }]) => path !== '' && !optional && installed[path]?.version !== version,
  );
}

function newestMs(path) {
  const absolute = join(root, path);
  if (!statSync(absolute).isDirectory()) return statSync(absolute).mtimeMs;
  return Math.max(...readdirSync(absolute).map((name) => newestMs(join(path, name))), 0);
}

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

if (missingPackages()) {
  process.stderr.write('installing the locked packages …\n');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}
if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
const built = join(root, 'dist/cli/main.js');
const stale = [
  'src',
  'proto',
  'tsconfig.json',
  'package-lock.json',
  'scripts/bundle-command.mjs',
  'scripts/build-page.mjs',
].some((path) => !existsSync(built) || newestMs(path) > statSync(built).mtimeMs);
if (stale) {
  process.stderr.write('building dist …\n');
  run('npm', ['run', '--silent', 'build']);
}
