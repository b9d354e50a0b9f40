import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { freePort } from '../support/free-port.ts';
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';
import { metric, ProcessCluster, placeOf } from './process-cluster.ts';

/*
 * Three processes (an origin, a relay that copies nothing of what is read, an edge below it) tell one collector of their
 * steps. What belongs together is found by the trace that a caller brought.
 */

const key = 'a-key-that-no-trace-shows';
const value = 'a-value-that-no-trace-shows';
const cluster = new ProcessCluster();
const kinds = { internal: 1, server: 2, client: 3 } as const;

let collector: OtlpReceiver;
let origin: ChildNode;
let relay: ChildNode;
let edge: ChildNode;
let namespaceId: string;

beforeAll(async () => {
  collector = await OtlpReceiver.start();
  const { endpoint } = collector;
  const listen = `127.0.0.1:${await freePort()}`;
  const traced = ['--otlp-endpoint', endpoint, '--trace-sampling', '0'];
  origin = await cluster.start('origin', 'iad', { listen, flags: traced });
  // By the variables of OpenTelemetry alone.
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'flags-store' };
  const sampling = ['--trace-sampling', '0'];
  relay = await cluster.start('edge', 'fra', { flags: ['--upstream', placeOf(origin.grpc), ...sampling], env });
  edge = await cluster.start('edge', 'ber', {
    flags: ['--upstream', placeOf(relay.grpc), '--upstream', placeOf(origin.grpc), ...traced],
  });
  for (const node of [relay, edge]) await cluster.ready(node);
  ({ id: namespaceId } = await cluster.connect(origin).namespaces.create('flags'));
  await cluster.connect(origin).namespace('flags').put(key, value);
});

afterAll(async () => {
  await cluster.close();
  await collector.close();
});

const newTrace = () => {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
};

/** The steps from one of them up to the trace's root, each as `node name`. */
function pathTo(leaf: ReceivedSpan, spans: readonly ReceivedSpan[]): string[] {
  const parent = spans.find(({ spanId }) => spanId === leaf.parentId);
  const here = `${leaf.node['meridian.node']} ${leaf.name}`;
  return parent === undefined ? [here] : [...pathTo(parent, spans), here];
}

async function leafOf(traceId: string, name: string, node: string): Promise<ReceivedSpan> {
  await expect
    .poll(() => collector.of(traceId).some((span) => span.name === name && span.node['meridian.node'] === node), {
      timeout: 20_000,
    })
    .toBe(true);
  const found = collector.of(traceId).find((span) => span.name === name && span.node['meridian.node'] === node);
  if (found === undefined) throw new Error('it was there');
  return found;
}

describe('traces', () => {
  it('follow a load from the client through an edge and a relay to the origin', async () => {
    const { traceId, spanId, traceparent } = newTrace();
    const client = cluster.connect(edge, { traceContext: () => ({ traceparent }) });
    expect(await client.namespace('flags').get(key)).toBe(value);
    const leaf = await leafOf(traceId, 'meridian.v1.KV/Get', 'iad');
    await leafOf(traceId, 'meridian.v1.KV/Get', 'ber');
    const spans = collector.of(traceId);
    expect(pathTo(leaf, spans)).toEqual([
      ...['ber meridian.v1.KV/Get', 'ber load', 'ber upstream'],
      ...['fra meridian.v1.KV/Get', 'fra load', 'fra upstream'],
      'iad meridian.v1.KV/Get',
    ]);
    const root = spans.find(({ parentId }) => parentId === spanId);
    expect([root?.name, root?.kind, root?.node['meridian.node']]).toEqual(['meridian.v1.KV/Get', kinds.server, 'ber']);
    const upstreams = spans.filter(({ name }) => name === 'upstream');
    expect(upstreams.map(({ kind }) => kind)).toEqual([kinds.client, kinds.client]);
    expect(upstreams.map(({ attributes }) => attributes['server.address']).sort()).toEqual(
      [placeOf(relay.grpc), placeOf(origin.grpc)].sort(),
    );
    expect(new Set(spans.map(({ node }) => node['service.name']))).toEqual(new Set(['meridian', 'flags-store']));
    expect(spans.find(({ node }) => node['meridian.node'] === 'fra')?.node['service.name']).toBe('flags-store');
  });

  it('follow a write from HTTP to the commit that it shares with others', async () => {
    const traces = Array.from({ length: 16 }, newTrace);
    const path = `/client/v4/accounts/any/storage/kv/namespaces/${namespaceId}/values`;
    const puts = traces.map(({ traceparent }, index) =>
      fetch(`http://${placeOf(edge.http)}${path}/${key}${index}`, {
        method: 'PUT',
        body: value,
        headers: { traceparent, 'x-request-id': `put-${index}` },
      }),
    );
    for (const put of puts) expect((await put).status).toBe(200);
    const commits = await Promise.all(traces.map(({ traceId }) => leafOf(traceId, 'commit', 'iad')));
    const [first] = commits;
    if (first === undefined) throw new Error('there are commits');
    await leafOf(first.traceId, 'PUT rest', 'ber');
    await leafOf(first.traceId, 'meridian.v1.KV/Put', 'fra');
    expect(pathTo(first, collector.of(first.traceId))).toEqual([
      ...['ber PUT rest', 'ber upstream', 'fra meridian.v1.KV/Put', 'fra upstream'],
      ...['iad meridian.v1.KV/Put', 'iad commit'],
    ]);
    const root = collector.of(first.traceId).find(({ name }) => name === 'PUT rest');
    expect(root?.attributes).toMatchObject({ 'http.response.status_code': 200, 'meridian.request_id': 'put-0' });
    // Each commit is one batch: a step of one of its writes, with links to all others that were traced.
    const batches = collector.spans.filter(({ name }) => name === 'batch');
    const shared = batches.flatMap((batch) => [`${batch.traceId}/${batch.parentId}`, ...batch.links]);
    expect(shared.sort()).toEqual(commits.map(({ traceId, spanId }) => `${traceId}/${spanId}`).sort());
    for (const { attributes, links } of batches) {
      // A proposal of the origin's own may share the commit: nobody traces that one.
      expect(attributes['meridian.commit.proposals']).toBeGreaterThanOrEqual(links.length + 1);
      expect(attributes['meridian.commit.sync']).toBe(true);
    }
  });

  it('share one load among those who miss the same key, which each of them says', async () => {
    const shared = `${key}-shared`;
    await cluster.connect(origin).namespace('flags').put(shared, value);
    const traces = Array.from({ length: 8 }, newTrace);
    let next = 0;
    const traceContext = () => traces[next++];
    const client = cluster.connect(edge, { traceContext, sessions: false });
    await Promise.all(traces.map(() => client.namespace('flags').get(shared)));
    const waits = () =>
      traces.flatMap(({ traceId }) => collector.of(traceId)).filter(({ name }) => name !== 'upstream');
    await expect
      .poll(() => waits().filter(({ name, kind }) => name === 'meridian.v1.KV/Get' && kind === kinds.server).length, {
        timeout: 20_000,
      })
      .toBeGreaterThanOrEqual(8);
    const ids = new Set(collector.spans.map(({ traceId, spanId }) => `${traceId}/${spanId}`));
    const joined = waits().filter(({ name }) => name === 'wait for load');
    const loads = waits().filter(({ name, node }) => name === 'load' && node['meridian.node'] === 'ber');
    for (const { links } of joined) expect(links.every((link) => ids.has(link)) && links.length === 1).toBe(true);
    // Those who came when it was loaded already read it from memory.
    const readers = loads.reduce((sum, { attributes }) => sum + Number(attributes['meridian.load.readers']), 0);
    expect(readers).toBe(joined.length + loads.length);
  });

  it('say what a call failed with, by its code', async () => {
    const { traceId, traceparent } = newTrace();
    const client = cluster.connect(edge, { traceContext: () => ({ traceparent }) }).namespace('flags');
    await expect(client.put(key, value, { ifAbsent: true })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    const failed = await leafOf(traceId, 'commit', 'iad');
    expect(failed.failed).toBe(true);
    expect(failed.attributes).toMatchObject({
      'error.type': 'FAILED_PRECONDITION',
      'meridian.reason': 'condition-not-met',
    });
  });

  it('are told of nothing that is not sampled, and of no key, value or title', async () => {
    const { traceId, traceparent } = newTrace();
    const unsampled = cluster.connect(edge, { traceContext: () => ({ traceparent: traceparent.replace(/1$/, '0') }) });
    await unsampled.namespace('flags').get(`${key}-unsampled`);
    const { status } = await fetch(
      `http://${placeOf(edge.http)}/client/v4/accounts/any/storage/kv/namespaces/${namespaceId}/values/${key}-other`,
      { headers: { traceparent: `00-${traceId}-${'1'.repeat(16)}-00` } },
    );
    expect(status).toBe(404);
    await cluster.connect(edge).namespace('flags').get(`${key}-none`);
    // What comes later was told later, so it would have been here.
    const last = newTrace();
    await cluster
      .connect(edge, { traceContext: () => last })
      .namespace('flags')
      .get(`${key}-last`);
    await leafOf(last.traceId, 'meridian.v1.KV/Get', 'ber');
    await leafOf(last.traceId, 'meridian.v1.KV/Get', 'iad');
    expect(collector.of(traceId)).toEqual([]);
    const known = new Set(collector.spans.filter(({ parentId }) => parentId !== '').map(({ traceId: id }) => id));
    expect(collector.spans.filter(({ traceId: id }) => !known.has(id))).toEqual([]);
    for (const text of [key, value]) expect(collector.bodies.some((body) => body.includes(text))).toBe(false);
  });

  it('cost a node nothing but a warning where the collector is gone', async () => {
    const gone = await cluster.start('edge', 'sin', {
      flags: ['--upstream', placeOf(origin.grpc), '--otlp-endpoint', 'http://127.0.0.1:1', '--trace-sampling', '1'],
    });
    const client = cluster.connect(gone).namespace('flags');
    for (let index = 0; index < 50; index++) await client.get(`${key}${index}`);
    expect(await metric(gone, 'meridian_ready{role="edge"}')).toBe(1);
    expect(await gone.stop()).toBe(0);
  });
});
