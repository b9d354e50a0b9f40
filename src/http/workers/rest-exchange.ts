import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '../../model/call.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';
import { readBody } from './read-body.ts';
import { Refusal } from './refusal.ts';

/** One request of the REST API and what answering it needs. */
export interface RestExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly call: Call;
  /** Places for large bodies. */
  readonly places: Semaphore;
}

/** The body, up to so many bytes. @throws Refusal 413 */
export function readRestBody({ request, places, call }: RestExchange, bytesMax: number): Promise<Buffer> {
  const tooLong = (bytes: number) => new Refusal(413, `body of ${bytes} bytes exceeds limit of ${bytesMax}`, 10024);
  return readBody(request, { bytesMax, tooLong, places, signal: call.signal });
}

/** The body as parsed JSON. @throws Refusal */
export async function readRestJson(exchange: RestExchange, bytesMax: number): Promise<unknown> {
  const body = await readRestBody(exchange, bytesMax);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new Refusal(400, 'the request body is not valid JSON', 10001);
  }
}
