/**
 * Writes a whole namespace of Workers KV, read through the vendor's own SDK, to standard output: one record a line, any
 * bytes, with metadata and expiry, as `meridian import` takes them. CLOUDFLARE_API_TOKEN must be set.
 *
 *     node deploy/examples/migrate/export-workers-kv.mjs <account id> <namespace id> > dump.ndjson
 */
import { once } from 'node:events';
import Cloudflare from 'cloudflare';

/** Values asked for at once. The vendor permits 1200 requests in five minutes; its SDK waits where it is told to. */
const atOnce = 8;

const [account_id, namespace_id] = process.argv.slice(2);
if (account_id === undefined || namespace_id === undefined) {
  throw new Error('usage: export-workers-kv.mjs <account id> <namespace id>');
}
const { keys, values } = new Cloudflare({ maxRetries: 10 }).kv.namespaces;

async function line({ name, expiration, metadata }) {
  const answer = await values.get(name, { account_id, namespace_id }).catch((error) => {
    // It was deleted, or expired, since it was listed.
    if (error.status === 404) return undefined;
    throw error;
  });
  if (answer === undefined) return '';
  const value = Buffer.from(await answer.arrayBuffer()).toString('base64');
  return `${JSON.stringify({ key: name, value, base64: true, expiration, metadata })}\n`;
}

async function write(listed) {
  for (const text of await Promise.all(listed.map(line))) {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  }
}

let waiting = [];
for await (const key of keys.list(namespace_id, { account_id })) {
  waiting.push(key);
  if (waiting.length < atOnce) continue;
  await write(waiting);
  waiting = [];
}
await write(waiting);
