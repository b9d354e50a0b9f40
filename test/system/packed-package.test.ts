import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'meridian-packed-'));
const modules = join(folder, 'node_modules');

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 100_000 });
  expect(status, `${command} ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** The package as npm would install it, beside what it and its users depend on. */
beforeAll(() => {
  mkdirSync(join(modules, 'meridian'), { recursive: true });
  const packed = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], '.'));
  run(
    'tar',
    ['xzf', join(folder, packed[0].filename), '-C', join(modules, 'meridian'), '--strip-components=1'],
    folder,
  );
  for (const name of readdirSync('node_modules')) {
    if (name !== 'meridian' && !name.startsWith('.')) symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const uses = `import Keyv from 'keyv';
import { connect } from 'meridian';
import { KeyvStore } from 'meridian/keyv';
import { unstorageDriver } from 'meridian/unstorage';
import { createStorage } from 'unstorage';

const cluster = connect({ endpoints: ['127.0.0.1:1'] });
const namespace = cluster.namespace('cache');
export const keyv = new Keyv({ store: new KeyvStore(namespace) });
export const storage = createStorage({ driver: unstorageDriver({ namespace, base: 'app' }) });
`;

it('the packed package is imported by its entries', () => {
  writeFileSync(
    join(folder, 'app.js'),
    `${uses}console.log(typeof keyv.get, typeof storage.getItem);\ncluster.close();\n`,
  );
  expect(run(process.execPath, ['app.js'], folder)).toBe('function function\n');
  expect(run(process.execPath, [join(modules, 'meridian/dist/cli/main.js'), '--version'], folder)).toMatch(/^\d/);
});

it.each([
  ['NodeNext', 'NodeNext'],
  ['ESNext', 'Bundler'],
])('the packed package brings its types, to modules of %s resolved as %s', (module, resolution) => {
  writeFileSync(join(folder, 'app.ts'), `${uses}cluster.close();\n// @ts-expect-error a typed argument\nconnect(5);\n`);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--types', 'node'];
  const how = ['--module', module, '--moduleResolution', resolution];
  run(process.execPath, [join(modules, 'typescript/bin/tsc'), ...options, ...how, 'app.ts'], folder);
});
