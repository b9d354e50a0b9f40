import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Upstream } from '../../model/upstream.ts';
import type { ExpiryClock } from '../../runtime/clock.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import type { HttpCall } from '../exchange.ts';
import { withBody } from './read-body.ts';
import { Refusal } from './refusal.ts';
import { jsonIn } from './text-in.ts';

/** One request of the REST API and what answering it needs. */
export interface RestExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly upstream: Upstream;
  /** What absolute expiries are compared with. */
  readonly expiryClock: ExpiryClock;
  readonly call: HttpCall;
  /** For large bodies and answers. */
  readonly rooms: Rooms;
}

/** Hands the body, up to so many bytes, to `use`; a large one keeps its place until that has ended. @throws Refusal 413 */
export function withRestBody<T>(
  { request, rooms, call }: RestExchange,
  bytesMax: number,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const tooLong = (bytes: number, limit: number) =>
    new Refusal(413, `body of ${bytes} bytes exceeds limit of ${limit}`, 10024);
  return withBody(request, { bytesMax, tooLong, room: rooms.uploads, call }, use);
}

/** The same with the body as parsed JSON. @throws Refusal */
export function withRestJson<T>(
  exchange: RestExchange,
  bytesMax: number,
  use: (body: unknown) => Promise<T>,
): Promise<T> {
  return withRestBody(exchange, bytesMax, async (body) => use(jsonIn(body)));
}
