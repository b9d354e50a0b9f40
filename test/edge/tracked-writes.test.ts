import { afterEach, beforeEach, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { arrivalsOf } from '../../src/page/cluster/arrivals.ts';
import { aCall, Chain, until } from './chain.ts';

let chain: Chain;
let origin: Origin;

beforeEach(async () => {
  chain = new Chain();
  origin = await chain.origin('o');
  await origin.create('ns', aCall());
});

afterEach(() => chain.close());

it('is told of a tracked write by each node that passes it on, down to an edge behind a relay', async () => {
  const relay = await chain.edge('relay', [origin], { replicate: ['*'] });
  const edge = await chain.edge('edge', [relay], { replicate: [] });
  const isFollowed = async (node: Origin | typeof relay) => {
    return (await node.status()).followers.some(({ state, boundMs }) => state === 'live' && boundMs !== undefined);
  };
  await until(() => isFollowed(origin));
  await until(() => isFollowed(relay));
  const mutation = { kind: 'put', key: 'k', value: Buffer.from('v') } as const;
  const request = { namespace: 'ns', mutations: [mutation], session: emptySession };
  const { written, origin: member } = await edge.write({ ...request, tracked: true }, aCall());
  const tellers = async () => {
    const statuses = [await origin.status(), await relay.status()];
    return statuses.map(({ node: { id, name }, tracks = [] }) => {
      const track = tracks.find(({ sequence }) => sequence === written[0]?.position.sequence);
      return { id, name, ageMs: 0, arrivals: track?.arrivals ?? [] };
    });
  };
  await until(async () => {
    const arrivals = arrivalsOf({ tellers: await tellers() }, { origin: member });
    return [relay, edge].every(({ identity }) => arrivals.get(identity.id) !== undefined);
  });
  const arrivals = arrivalsOf({ tellers: await tellers() }, { origin: member });
  expect([...arrivals.keys()].sort()).toEqual([member, relay.identity.id, edge.identity.id].sort());
  expect(arrivals.get(edge.identity.id)).toBeGreaterThanOrEqual(arrivals.get(relay.identity.id) ?? Number.NaN);
  // Others are not watched.
  await edge.write(request, aCall());
  expect((await origin.status()).tracks).toHaveLength(1);
});

it('is told how each follower is: its age by the clock of whom it follows, its round trip, and no hit rate before a read', async () => {
  const edge = await chain.edge('edge', [origin], { replicate: ['*'] });
  const told = async () => (await origin.status()).followers.find(({ scope }) => scope === 'copy');
  await until(async () => (await told())?.roundTripMs !== undefined && (await told())?.boundMs !== undefined);
  expect((await told())?.hitRate).toBeUndefined();
  await edge.get({ namespace: 'ns', key: 'none', session: emptySession }, aCall());
  await until(async () => (await told())?.hitRate !== undefined);
});
