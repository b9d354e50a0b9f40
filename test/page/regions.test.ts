import { describe, expect, it } from 'vitest';
import type { ViewJson } from '../../src/http/page/page-json.ts';
import type { LogId } from '../../src/model/position.ts';
import type { ScopeJson, StatusJson } from '../../src/model/status-json.ts';
import { arrivalsOf } from '../../src/page/cluster/arrivals.ts';
import { regionsOf, remember, stateOf, withGone } from '../../src/page/cluster/regions.ts';

const log = 'a'.repeat(16) as LogId;
const follower = { role: 'edge', state: 'live', region: 'eu' } as const;

function status(fields: Partial<StatusJson>): StatusJson {
  return {
    ...{ id: 'o', name: 'iad', role: 'origin', region: 'us', cluster: 'c', uptimeSeconds: 1, version: '1' },
    ...{ ready: true, notes: [], scopes: [], followers: [], readOnly: false, log },
    ...fields,
  };
}

function view(node: StatusJson, fields: Partial<ViewJson> = {}): ViewJson {
  return { node, around: [], members: [], ...fields };
}

describe('the nodes of the page', () => {
  it('are as old as the oldest of their scopes, and of unknown age where any scope is', () => {
    const followers = [
      { ...follower, id: 'a', name: 'a', scope: 'copy', boundMs: 100 },
      { ...follower, id: 'a', name: 'a', scope: 'cache', boundMs: 300 },
      { ...follower, id: 'b', name: 'b', scope: 'copy', boundMs: 100 },
      { ...follower, id: 'b', name: 'b', scope: 'cache' },
    ];
    const regions = regionsOf(view(status({ followers })));
    expect(regions.map(({ name, boundMs }) => [name, boundMs])).toEqual([
      ['iad', undefined],
      ['a', 300],
      ['b', undefined],
    ]);
  });

  it('are as old as what reaches them from any origin, the one that they follow and its peers', () => {
    const followers = [{ ...follower, id: 'a', name: 'a', scope: 'copy', boundMs: 100 }];
    const peer = { name: 'lhr', id: 'p', address: 'h:1', state: 'live' } as const;
    const boundOf = (...peers: Array<{ readonly boundMs?: number }>) =>
      regionsOf(view(status({ followers, peers: peers.map((one) => ({ ...peer, ...one })) }))).at(-1)?.boundMs;
    expect(boundOf()).toBe(100);
    expect(boundOf({ boundMs: 40 }, { boundMs: 70 })).toBe(170);
    expect(boundOf({ boundMs: 40 }, {})).toBeUndefined();
  });

  it('say of themselves what they prove against their origin, which counts as all only where it is the only one', () => {
    const scope = { kind: 'copy', filter: [], state: 'live', covered: {}, floor: {}, stable: {} } as const;
    const copy: ScopeJson = { ...scope, boundMs: 100, rootLog: log };
    const { log: _none, ...edge } = status({ id: 'e', name: 'e', role: 'edge', scopes: [copy] });
    const boundOf = (fields: Partial<ViewJson>) => regionsOf(view(edge, fields)).find(({ id }) => id === 'e')?.boundMs;
    const member = { name: 'o', role: 'origin', region: '', connected: true } as const;
    expect(boundOf({ members: [{ ...member, id: 'o' }] })).toBe(100);
    expect(
      boundOf({
        members: [
          { ...member, id: 'o' },
          { ...member, id: 'p' },
        ],
      }),
    ).toBeUndefined();
    expect(boundOf({ membersUnknown: 'no answer' })).toBeUndefined();
    const peers = [{ name: 'p', id: 'p', address: 'h:1', state: 'live', boundMs: 9 }] as const;
    expect(boundOf({ around: [status({ peers })] })).toBe(109);
  });

  it('are gone where nobody is connected to them, nobody is followed by them, and they say nothing', () => {
    const members = [{ id: 'p', name: 'lhr', role: 'origin', region: '', connected: false }] as const;
    const now = regionsOf(view(status({}), { members }));
    expect(now.map((region) => [region.name, stateOf(region)])).toEqual([
      ['iad', 'unknown'],
      ['lhr', 'gone'],
    ]);
    const heard = regionsOf(view(status({}), { members, around: [status({ id: 'p', name: 'lhr' })] }));
    const all = withGone(remember(now, remember(heard, new Map(), 1000), 6000), 6000, now);
    expect(all.at(-1)).toMatchObject({ id: 'p', goneMs: 5000 });
    const followers = [{ ...follower, id: 'p', name: 'lhr', role: 'origin' as const, scope: 'peer' }];
    expect(regionsOf(view(status({ followers }), { members })).map(stateOf)).toEqual(['unknown', 'well']);
  });

  it('never have a figure that nobody told', () => {
    const members = [{ id: 'm', name: 'm', role: 'edge', region: '', connected: true }] as const;
    const [, member] = regionsOf(view(status({}), { members }));
    expect(member).toEqual({ id: 'm', name: 'm', role: 'edge', region: '', isHere: false });
    expect(member && stateOf(member)).toBe('unknown');
  });

  it('leave out clients that watch', () => {
    const followers = [{ ...follower, id: 'w', name: 'watch', scope: 'watch' }];
    expect(regionsOf(view(status({ followers }))).map(({ name }) => name)).toEqual(['iad']);
  });

  it('stay in sight when they are gone, and say since when', () => {
    const before = regionsOf(
      view(status({ followers: [{ ...follower, id: 'a', name: 'a', scope: 'copy', boundMs: 1 }] })),
    );
    const now = regionsOf(view(status({})));
    const all = withGone(remember(now, remember(before, new Map(), 1000), 6000), 6000, now);
    expect(all.at(-1)).toEqual({ id: 'a', name: 'a', role: 'edge', region: 'eu', isHere: false, goneMs: 5000 });
  });

  it('learn of an edge from whoever it follows, where that is another node', () => {
    const around = [
      status({ id: 'p', name: 'lhr', followers: [{ ...follower, id: 'a', name: 'a', scope: 'copy', roundTripMs: 7 }] }),
    ];
    expect(regionsOf(view(status({}), { around })).map(({ name, roundTripMs }) => [name, roundTripMs])).toEqual([
      ['iad', undefined],
      ['lhr', undefined],
      ['a', 7],
    ]);
  });
});

describe('a change that travels', () => {
  const arrival = (id: string, elapsedMs?: number) => ({
    ...{ id, name: id, role: 'edge' as const, region: '', scope: 'copy' },
    ...(elapsedMs === undefined ? {} : { elapsedMs }),
  });
  const teller = (id: string, ...arrivals: Array<ReturnType<typeof arrival>>) => ({ id, name: id, ageMs: 1, arrivals });

  it('adds up what each node on the way measured by its own clock', () => {
    const tellers = [teller('relay', arrival('far', 5)), teller('o', arrival('relay', 90), arrival('near', 3))];
    expect([...arrivalsOf({ tellers }, { origin: 'o' })]).toEqual([
      ['o', 0],
      ['relay', 90],
      ['near', 3],
      ['far', 95],
    ]);
  });

  it('takes the sooner of two ways, and says where nobody has answered', () => {
    const tellers = [
      teller('o', arrival('a', 50), arrival('b'), arrival('p', 10)),
      teller('p', arrival('a', 9), arrival('b')),
    ];
    const arrivals = arrivalsOf({ tellers }, { origin: 'o' });
    expect([arrivals.get('a'), arrivals.has('b'), arrivals.get('b')]).toEqual([19, true, undefined]);
  });

  it('says nothing of a node whose way from the origin is not known', () => {
    expect([...arrivalsOf({ tellers: [teller('x', arrival('a', 5))] }, { origin: 'o' })]).toEqual([['o', 0]]);
  });
});
