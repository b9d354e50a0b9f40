// `npm run bench [-- NAME …] [--runs N --duration MS --records N --report FILE]`: the benches of test/bench, each stating its
// question. The figures of all are in a Markdown file afterwards as well.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const known = readdirSync(join(root, 'test/bench'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length));

const words = process.argv.slice(2);
const firstFlag = words.findIndex((word) => word.startsWith('--'));
const names = firstFlag === -1 ? words : words.slice(0, firstFlag);
const flags = firstFlag === -1 ? [] : words.slice(firstFlag);
const reportFlag = flags.indexOf('--report');
const report = resolve(reportFlag === -1 ? join(root, 'dist/bench/report.md') : (flags[reportFlag + 1] ?? ''));
if (flags.includes('--help')) {
  const defaults =
    '--runs 5, --duration 2000 (milliseconds of one figure), --records 1000000, --report dist/bench/report.md';
  process.stdout.write(
    `npm run bench -- [NAME …] [flags]\nflags, with their defaults: ${defaults}\nnames: ${known.join(', ')}\n`,
  );
  process.exit(0);
}
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there is no bench ${unknown.join(', ')}; there are ${known.join(', ')}\n`);
  process.exit(2);
}

function run(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run([join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'test/tsconfig.bench.json']);
// The compiled sources look for them where they lie beside src.
for (const name of ['proto', 'package.json']) {
  cpSync(join(root, name), join(root, 'dist/bench', name), { recursive: true });
}
writeFileSync(report, `# What \`npm run bench\` measured on ${new Date().toISOString().slice(0, 10)}\n\n`);
for (const name of names.length > 0 ? names : known) {
  run([join('dist/bench/test/bench', `${name}.js`), ...flags, '--report', report]);
}
process.stdout.write(`\nall figures: ${report}\n`);
