// Joins the command, with the packages that a short command needs, into a few files: dist/cli/main.js and what it loads
// from dist/command. To find, read and compile 260 modules one by one was most of what `meridian get` cost. Run behind
// tsc; the client and its adapters stay as tsc made them.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const chunks = join(dist, 'command');

/** Packages that begin a graph of their own to be joined; every other one is loaded where it lies when it is needed. */
const joined = ['yargs', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];

/**
 * How many columns a help text takes. Ours has letters of one column alone; the package that knows all others makes a
 * segmenter and reads three patterns of all emoji at each start, a third of the whole.
 */
const narrowText = {
  name: 'narrow-text',
  resolveId: (id) => (id === 'string-width' ? '\0string-width' : undefined),
  load: (id) => (id === '\0string-width' ? 'export default (text) => text.length;' : undefined),
};

/**
 * The loader of messages describes each of them in the form that reflection answers, a seventh of what a short command costs.
 * Nobody reads that: what a node answers is made from proto/ itself (src/rpc/file-descriptors.ts).
 */
const noDescriptors = {
  name: 'no-descriptors',
  resolveId: (id, from) =>
    id === 'protobufjs/ext/descriptor' && /[\\/]proto-loader[\\/]/.test(from ?? '') ? '\0no-descriptors' : undefined,
  load: (id) =>
    id === '\0no-descriptors'
      ? `import { Enum, Root, Type } from 'protobufjs';
         const described = { $type: { toObject: () => ({}) } };
         Root.prototype.toDescriptor = () => ({ file: [] });
         for (const { prototype } of [Type, Enum]) prototype.toDescriptor = () => described;`
      : undefined,
};

/** By bare name, as packages are asked for. */
const isPackage = (id) => !/^(\.|\/|[A-Za-z]:[\\/]|node:)/.test(id);
const isJoined = (id) => joined.some((name) => id === name || id.startsWith(`${name}/`));

rmSync(chunks, { recursive: true, force: true });
const bundle = await rolldown({
  input: { main: join(dist, 'cli/main.js') },
  cwd: root,
  platform: 'node',
  plugins: [narrowText, noDescriptors],
  // What a joined package asks for is joined too.
  external: (id, from) => isPackage(id) && !isJoined(id) && !(from ?? '').includes('node_modules'),
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true, legalComments: 'none' } },
  entryFileNames: 'cli/main.js',
  // As deep as the modules that they are made of, which find proto/ and package.json from where they lie.
  chunkFileNames: 'command/[name]-[hash].js',
});
await bundle.close();
for (const { fileName, code } of output) writeFileSync(join(dist, fileName), inAscii(code));
writeFileSync(join(chunks, 'LICENSES.txt'), licenses(output.flatMap(({ moduleIds }) => moduleIds ?? [])));

/** One character beyond Latin-1 doubles what a whole file takes to hold and to scan. */
function inAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The licence of each package of which something stands in the files: they are copies. */
function licenses(moduleIds) {
  const folders = moduleIds.flatMap(
    (id) => /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id)?.[1] ?? [],
  );
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text =
      file === undefined ? 'The package brings no text of it.' : readFileSync(join(folder, file), 'utf8').trim();
    return `${name} ${version}, ${license}\n\n${text}\n`;
  });
  return `The files beside this one hold parts of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
