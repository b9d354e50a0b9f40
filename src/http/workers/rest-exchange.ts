import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '../../model/call.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import { withBody } from './read-body.ts';
import { Refusal } from './refusal.ts';

/** One request of the REST API and what answering it needs. */
export interface RestExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly call: Call;
  /** For large bodies and answers. */
  readonly rooms: Rooms;
}

/** Hands the body, up to so many bytes, to `use`; a large one keeps its place until that has ended. @throws Refusal 413 */
export function withRestBody<T>(
  { request, rooms, call }: RestExchange,
  bytesMax: number,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const tooLong = (bytes: number) => new Refusal(413, `body of ${bytes} bytes exceeds limit of ${bytesMax}`, 10024);
  return withBody(request, { bytesMax, tooLong, room: rooms.uploads, signal: call.signal }, use);
}

/** The same with the body as parsed JSON; `check` looks at it before. @throws Refusal */
export function withRestJson<T>(
  exchange: RestExchange,
  { bytesMax, check = () => {} }: { readonly bytesMax: number; readonly check?: (body: Buffer) => void },
  use: (body: unknown) => Promise<T>,
): Promise<T> {
  return withRestBody(exchange, bytesMax, async (body) => {
    check(body);
    return use(parseJson(body));
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new Refusal(400, 'the request body is not valid JSON', 10001);
  }
}
