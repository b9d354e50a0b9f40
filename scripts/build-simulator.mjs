// Compiles the simulator, with the sources that it runs, into a folder: `node scripts/build-simulator.mjs FOLDER`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('name the folder to build into');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'test/sim'), '--outDir', folder], {
  stdio: 'inherit',
});
// Here alone a rule can be taken out.
writeFileSync(join(folder, 'src/model/rules.js'), "export * from '../../test/sim/ablation/switched-rules.js';\n");
process.exit(status ?? 1);
