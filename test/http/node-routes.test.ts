import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { NodeRoutes } from '../../src/http/node-routes.ts';
import type { Member, NodeStatus } from '../../src/model/cluster.ts';
import type { Entrance } from '../../src/model/entrance.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';

const never = () => new Promise<never>(() => {});

it.each(['/metrics', '/status', '/readyz'])(
  'lets go of who asked for %s and went away before it was told',
  async (url) => {
    const entrance = { enter: () => ({ status: never }) } as unknown as Entrance;
    const routes = new NodeRoutes({ metrics: never, status: never, entrance }, clock);
    const request = { url, method: 'GET', headers: {}, socket: {} } as unknown as IncomingMessage;
    const ending = new AbortController();
    const call = { deadlineMs: clock.monotonicMs() + 60_000, signal: ending.signal };
    const handled = routes.handle(request, {} as ServerResponse, call);
    ending.abort(new Error('gone'));
    await expect(handled).rejects.toThrow('gone');
  },
);

interface Told {
  readonly members?: readonly { readonly name: string }[];
}

async function toldStatus(role: 'origin' | 'edge', members: () => Promise<readonly Member[]>): Promise<Told> {
  const node = { name: 'x', role, id: '00000000000000a1', region: 'local' };
  const status = async () => ({ node, clusterId: '', uptimeMs: 1, scopes: [] }) as unknown as NodeStatus;
  const entrance = { enter: () => ({ status, members }) } as unknown as Entrance;
  const routes = new NodeRoutes({ metrics: never, status: never, entrance }, clock);
  const request = { url: '/status', method: 'GET', headers: {}, socket: {} } as unknown as IncomingMessage;
  const sent: string[] = [];
  const response = { setHeader: () => {}, end: (text: string) => sent.push(text) } as unknown as ServerResponse;
  const call = { deadlineMs: clock.monotonicMs() + 60_000, signal: new AbortController().signal };
  await routes.handle(request, response, call);
  return JSON.parse(sent.join('')) as Told;
}

it('has the members in the status of an origin, as far as it knows them by itself', async () => {
  const known = [{ name: 'x', role: 'origin', id: '00000000000000a1', region: 'local', connected: true }] as Member[];
  expect(await toldStatus('origin', async () => known)).toMatchObject({ role: 'origin', members: known });
});

it('tells the status of an origin whose members are not known, and of an edge that would have to ask, without them', async () => {
  const asked: string[] = [];
  const members = (role: 'origin' | 'edge') => async () => {
    asked.push(role);
    throw new Error('not now');
  };
  for (const role of ['origin', 'edge'] as const) {
    const told = await toldStatus(role, members(role));
    expect(told).toMatchObject({ role });
    expect(told).not.toHaveProperty('members');
  }
  expect(asked).toEqual(['origin']);
});
