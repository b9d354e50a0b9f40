/**
 * Writes a folder into a namespace, each file under its path, with its type and digest as metadata; deletes what the
 * folder no longer holds. What is unchanged is not written again.
 *
 *     node deploy/examples/static-assets/publish.mjs <folder> <namespace> [host:port]
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect } from 'meridian';

const database = createRequire(import.meta.url)('mime-db');
const types = new Map(
  Object.entries(database).flatMap(([type, { extensions = [] }]) => extensions.map((extension) => [extension, type])),
);
// More than one type claims these endings; the web's own are meant.
for (const [extension, type] of Object.entries({ js: 'text/javascript', mjs: 'text/javascript', xml: 'text/xml' })) {
  types.set(extension, type);
}

export function typeOf(path) {
  const type = types.get(extname(path).slice(1).toLowerCase()) ?? 'application/octet-stream';
  return /^text\/|^application\/json$|\+(json|xml)$/.test(type) ? `${type}; charset=utf-8` : type;
}

/** Tells how many files were written and deleted. */
export async function publish(folder, namespace) {
  const held = new Map();
  for await (const { name, metadata } of namespace.keys()) held.set(name, metadata?.digest);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  let written = 0;
  for (const path of paths) {
    const key = path.slice(join(folder, sep).length).split(sep).join('/');
    const bytes = await readFile(path);
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
    if (held.get(key) !== digest) {
      await namespace.put(key, bytes, { metadata: { type: typeOf(key), digest } });
      written++;
    }
    held.delete(key);
  }
  for (const key of held.keys()) await namespace.delete(key);
  return { written, deleted: held.size };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, title, endpoint = '127.0.0.1:7100'] = process.argv.slice(2);
  if (folder === undefined || title === undefined)
    throw new Error('usage: publish.mjs <folder> <namespace> [host:port]');
  const cluster = connect({ endpoints: [endpoint] });
  const { written, deleted } = await publish(folder, cluster.namespace(title)).finally(() => cluster.close());
  console.log(`${written} files written, ${deleted} deleted`);
}
