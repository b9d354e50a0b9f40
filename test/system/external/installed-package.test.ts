import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Of TypeScript: the lowest version that the README names, and the lowest for CommonJS in TypeScript. */
const lowest = '5.0.4';
const lowestForRequire = '5.8.3';

const folder = mkdtempSync(join(tmpdir(), 'meridian-installed-'));
const project = join(folder, 'project');

function run(command: string, args: readonly string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 170_000 });
  return { status, stdout, text: `${command} ${args.join(' ')}\n${stdout}${stderr}` };
}

function done(command: string, args: readonly string[], cwd = project): string {
  const { status, stdout, text } = run(command, args, cwd);
  expect(status, text).toBe(0);
  return stdout;
}

/** Whether the registry that npm is told of can be had. */
const online = run('npm', ['view', 'typescript@5.0.4', 'version', '--fetch-retries=0'], '.').stdout.trim() === lowest;
if (!online) console.warn('SKIPPED: an installation into an empty project needs a package registry');

describe.skipIf(!online)(
  'the package, made in a clone that was never built and installed into an empty project',
  () => {
    let packed: { readonly filename: string; readonly files: ReadonlyArray<{ readonly path: string }> };

    beforeAll(() => {
      const clone = join(folder, 'clone');
      for (const name of [
        ...['src', 'proto', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json', '.npmrc'],
        ...['README.md', 'LICENSE'],
      ]) {
        cpSync(name, join(clone, name), { recursive: true });
      }
      symlinkSync(resolve('node_modules'), join(clone, 'node_modules'));
      packed = JSON.parse(done('npm', ['pack', '--json', '--pack-destination', folder], clone))[0];
      mkdirSync(project);
      writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }');
      const others = ['@types/node@20', 'keyv@5', 'unstorage@1', `typescript@${lowest}`];
      const forRequire = `typescript-for-require@npm:typescript@${lowestForRequire}`;
      done('npm', ['install', '--no-audit', '--no-fund', join(folder, packed.filename), ...others, forRequire]);
    }, 170_000);

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const uses = `const cluster = connect({ endpoints: ['127.0.0.1:1'] });
const namespace = cluster.namespace('cache');
const keyv = new Keyv({ store: new KeyvStore(namespace) });
const storage = createStorage({ driver: unstorageDriver({ namespace, base: 'app' }) });
console.log(typeof keyv.get, typeof storage.getItem, typeof isMeridianError, typeof MeridianError);
cluster.close();
`;
    const imported = `import Keyv from 'keyv';
import { connect, isMeridianError, MeridianError } from 'meridian';
import { KeyvStore } from 'meridian/keyv';
import { unstorageDriver } from 'meridian/unstorage';
import { createStorage } from 'unstorage';
${uses}`;
    const required = `const { Keyv } = require('keyv');
const { connect, isMeridianError, MeridianError } = require('meridian');
const { KeyvStore } = require('meridian/keyv');
const { unstorageDriver } = require('meridian/unstorage');
const { createStorage } = require('unstorage');
${uses}`;
    const all = 'function function function function\n';

    it('holds what was built of each source, the protocol, and no source map', () => {
      const paths = packed.files.map(({ path }) => path);
      for (const path of ['dist/cli/main.js', 'dist/client/connect.js', 'dist/client/connect.d.ts', 'LICENSE']) {
        expect(paths).toContain(path);
      }
      expect(paths).toContain('proto/meridian/v1/kv.proto');
      expect(paths.filter((path) => path.endsWith('.map') || path.startsWith('src/'))).toEqual([]);
      expect(paths.length).toBeGreaterThan(300);
    });

    it('is imported from ESM', () => {
      writeFileSync(join(project, 'app.js'), imported);
      expect(done(process.execPath, ['app.js'])).toBe(all);
    });

    it('is required from CommonJS', () => {
      writeFileSync(join(project, 'app.cjs'), required);
      expect(done(process.execPath, ['--no-warnings', 'app.cjs'])).toBe(all);
    });

    it('brings the command', () => {
      expect(done('npx', ['--no', 'meridian', '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    });

    it.each([
      ['NodeNext', 'NodeNext'],
      ['ESNext', 'Bundler'],
    ])(
      `brings types for TypeScript ${lowest}, checked whole, to modules of %s resolved as %s`,
      (module, resolution) => {
        // Without unstorage's own types, which cannot be checked whole: they name packages that are not there.
        const typed = `import { connect, isMeridianError, MeridianError } from 'meridian';
import { KeyvStore } from 'meridian/keyv';
import { unstorageDriver } from 'meridian/unstorage';
const namespace = connect({ endpoints: ['127.0.0.1:1'] }).namespace('cache');
export const store = new KeyvStore(namespace);
export const driver = unstorageDriver({ namespace, base: 'app' });
export const isOurs = (error: unknown): error is MeridianError => isMeridianError(error);
export const value: Promise<string | null> = namespace.get('key');
// @ts-expect-error a typed argument
connect(5);
`;
        writeFileSync(join(project, 'app.ts'), typed);
        const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom', '--types', 'node'];
        const how = ['--module', module, '--moduleResolution', resolution];
        done(process.execPath, ['node_modules/typescript/bin/tsc', ...options, ...how, 'app.ts']);
      },
    );

    it(`brings them to CommonJS in TypeScript ${lowestForRequire} too`, () => {
      writeFileSync(
        join(project, 'required.cts'),
        `import { connect } from 'meridian';\nimport { KeyvStore } from 'meridian/keyv';\nconst cluster = connect({ endpoints: ['127.0.0.1:1'] });\nconsole.log(typeof new KeyvStore(cluster.namespace('a')).get);\ncluster.close();\n`,
      );
      const options = ['--strict', '--target', 'es2022', '--module', 'NodeNext', '--types', 'node'];
      done(process.execPath, ['node_modules/typescript-for-require/bin/tsc', ...options, 'required.cts']);
      expect(done(process.execPath, ['--no-warnings', 'required.cjs'])).toBe('function\n');
    });
  },
);
