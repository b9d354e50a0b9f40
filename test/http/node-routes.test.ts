import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { NodeRoutes } from '../../src/http/node-routes.ts';
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
