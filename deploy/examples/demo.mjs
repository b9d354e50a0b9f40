/**
 * An origin, two edges at the ends of long cables, and the four example Workers at each of them, in workerd. Prints what
 * to try. With `--once` it takes the tour and ends: exit code 0 if every change made at the origin was seen everywhere.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'meridian';
import { ChildNode } from '../../dist/cli/demo/child-node.js';
import { DelayingProxy } from '../../dist/cli/demo/delaying-proxy.js';
import { systemClock } from '../../dist/runtime/system-clock.js';
import { runWorker } from './run-worker.mjs';
import { publish } from './static-assets/publish.mjs';
import { tour } from './tour.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const titles = {
  configuration: 'configuration',
  'api-keys': 'api-keys',
  'reverse-proxy': 'routes',
  'static-assets': 'site',
};
/** One edge copies all of it, the other caches what is asked for. */
const regions = [
  { name: 'fra', roundTripMs: 90, replicate: ['--replicate', ...Object.values(titles)], firstPort: 8081 },
  { name: 'sin', roundTripMs: 160, replicate: [], firstPort: 8091 },
];
const once = process.argv.includes('--once');
const closing = [];

async function startNode(folder, role, name, flags) {
  const node = await ChildNode.start({
    script: join(here, '../../dist/cli/main.js'),
    role,
    name,
    flags: ['--data', join(folder, name), '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', ...flags],
    logPath: join(folder, `${name}.log`),
    clock: systemClock,
  });
  closing.unshift(() => node.stop());
  return node;
}

/** A backend that says who it is and whom it was told of. */
async function startBackend(name) {
  const server = createServer((request, response) => {
    const user = request.headers['x-user-id'];
    response.end(`${name} answers ${request.method} ${request.url}${user === undefined ? '' : ` for ${user}`}\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.unshift(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${server.address().port}`;
}

async function seed(cluster, backends) {
  for (const title of Object.values(titles)) await cluster.namespaces.create(title);
  for (const example of ['configuration', 'api-keys']) {
    const lines = (await readFile(join(here, example, 'data.ndjson'), 'utf8')).trim().split('\n');
    for (const { key, value } of lines.map((line) => JSON.parse(line))) {
      await cluster.namespace(titles[example]).put(key, value);
    }
  }
  const routes = cluster.namespace(titles['reverse-proxy']);
  await routes.put('/users', JSON.stringify({ backend: `http://${backends.blue}`, strip: true }));
  await publish(join(here, 'static-assets/site'), cluster.namespace(titles['static-assets']));
}

/** Ports that stay the same are easier to try by hand; a tour that is run by machines takes what is free. */
async function startRegion({ name, roundTripMs, replicate, firstPort }, folder, origin, api) {
  const proxy = new DelayingProxy({ target: origin.grpc, oneWayMs: roundTripMs / 2, clock: systemClock });
  closing.unshift(() => proxy.stop());
  const edge = await startNode(folder, 'edge', name, [
    '--region',
    name,
    '--upstream',
    await proxy.start(),
    ...replicate,
  ]);
  const urls = {};
  for (const [index, example] of Object.keys(titles).entries()) {
    const kv = `${edge.http.host}:${edge.http.port}`;
    const externals = { kv, ...(example === 'api-keys' ? { api } : {}) };
    const worker = await runWorker({ example, externals, port: once ? 0 : firstPort + index });
    closing.unshift(() => worker.stop());
    urls[example] = worker.url;
  }
  return { name, roundTripMs, urls, copies: replicate.length > 0 };
}

function invitation({ origin, running, backends }) {
  const [{ urls }] = running;
  const at = `--endpoint ${origin.grpc.host}:${origin.grpc.port}`;
  const all = (example) => running.map((region) => `${region.name} ${region.urls[example]}`).join('   ');
  return `
configuration   ${all('configuration')}
api-keys        ${all('api-keys')}
reverse-proxy   ${all('reverse-proxy')}
static-assets   ${all('static-assets')}

Try them, then change something at the origin and look again:

  curl ${urls.configuration}/
  curl ${urls['api-keys']}/orders -H 'Authorization: Bearer demo-key-of-bob'
  curl ${urls['reverse-proxy']}/users/7
  open ${urls['static-assets']}/

  npx meridian put configuration site '{"banner":"Changed"}' ${at}
  npx meridian list api-keys ${at}        then delete one of its keys
  npx meridian put routes /users '{"backend":"http://${backends.green}","strip":true}' ${at}
  npx meridian put site index.html '<h1>Changed</h1>' --metadata '{"type":"text/html"}' ${at}

Ctrl-C ends it.
`;
}

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-workers-'));
  closing.unshift(() => rm(folder, { recursive: true, force: true }));
  const origin = await startNode(folder, 'origin', 'iad', []);
  const cluster = connect({ endpoints: [`${origin.grpc.host}:${origin.grpc.port}`] });
  closing.unshift(() => cluster.close());
  const backends = { blue: await startBackend('blue'), green: await startBackend('green') };
  await seed(cluster, backends);
  const api = await startBackend('the API');
  const running = [];
  for (const region of regions) running.push(await startRegion(region, folder, origin, api));
  for (const { name, roundTripMs, copies } of running) {
    console.log(`${name}: an edge that ${copies ? 'copies' : 'caches'}, ${roundTripMs} ms from the origin`);
  }
  const held = await tour({ cluster, running, backends, titles });
  if (once) return held;
  console.log(invitation({ origin, running, backends }));
  await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  return true;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} finally {
  for (const close of closing) await close();
}
