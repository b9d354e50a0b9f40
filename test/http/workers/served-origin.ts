import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { HttpListener } from '../../../src/http/http-listener.ts';
import { BindingSurface } from '../../../src/http/workers/binding-surface.ts';
import { RestSurface } from '../../../src/http/workers/rest-surface.ts';
import { openEntrance } from '../../../src/model/entrance.ts';
import { limits } from '../../../src/model/limits.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import type { Origin } from '../../../src/origin/origin.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Rooms } from '../../../src/runtime/rooms.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import { openOrigin, roomsOf } from '../../rpc/loopback.ts';

export interface ServedOrigin {
  readonly origin: Origin;
  /** `host:port` of the HTTP listener. */
  readonly address: string;
  readonly rooms: Rooms;
  /** Of each exchange that ended; 0 where it was cut. */
  readonly statuses: readonly number[];
  close(): Promise<void>;
}

/**
 * A real origin over LevelDB with the Workers surfaces on a real listener, and a namespace titled `config`. The surfaces
 * call what `around` makes of the origin.
 */
export async function serveOrigin(
  exchangeMs = 20_000,
  around: (origin: Origin) => Upstream = (origin) => origin,
): Promise<ServedOrigin> {
  const statuses: number[] = [];
  const opened = await openOrigin();
  const upstream = around(opened.origin);
  // As many bodies at once as eight whose length is not told.
  const rooms = roomsOf(8 * limits.valueBytesMax);
  const expiryClock = { nowMs: () => systemClock.wallMs() };
  const listener = new HttpListener({
    surfaces: [
      { name: 'binding', surface: new BindingSurface(openEntrance(upstream), systemClock, rooms, expiryClock) },
      { name: 'rest', surface: new RestSurface(openEntrance(upstream), systemClock, rooms, expiryClock) },
    ],
    clock: systemClock,
    logger: silentLogger,
    observer: { answered: (_surface, status) => void statuses.push(status), rejected: () => {} },
    exchangeMs,
    ownNames: [],
  });
  const address = await listener.start('127.0.0.1', 0);
  await opened.origin.create('config');
  return {
    origin: opened.origin,
    address,
    rooms,
    statuses,
    close: async () => {
      await listener.stop(1000);
      await opened.close();
    },
  };
}

/** The origin with another method in the place of one of its own. With another `get` it answers nothing from memory. */
export function instead<Name extends keyof Upstream>(origin: Upstream, name: Name, method: Upstream[Name]): Upstream {
  return new Proxy(origin, {
    get(target, asked) {
      if (asked === name) return method;
      if (name === 'get' && asked === 'peek') return () => undefined;
      const own: unknown = Reflect.get(target, asked);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Several are sent chunked. */
  readonly body?: string | Uint8Array | readonly Uint8Array[];
}

/** One request whose path goes out exactly as it stands. */
export function ask(
  address: string,
  path: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<Answer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          reason: Buffer.from(response.statusMessage ?? '', 'latin1').toString('utf8'),
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.on('error', reject);
    if (Array.isArray(body)) for (const chunk of body) request.write(chunk);
    else if (typeof body === 'string' || body instanceof Uint8Array) request.write(body);
    request.end();
  });
}
