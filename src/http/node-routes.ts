import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '../model/call.ts';
import type { NodeStatus } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import { statusJson } from '../model/status-json.ts';
import type { Clock } from '../runtime/clock.ts';
import { Scrapes } from './scrapes.ts';
import { sendJson, sendText } from './send.ts';
import type { HttpSurface } from './surface.ts';

/** What a node tells over HTTP about itself. */
export interface NodeReport {
  /** The text of `/metrics`, and its content type. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  status(call: Call): Promise<NodeStatus>;
}

type Route = (response: ServerResponse, call: Call) => Promise<void>;

/**
 * `/metrics` (Prometheus), `/livez` (the process answers), `/readyz` (it can answer reads truthfully; 503 and the reasons
 * otherwise, also while it drains) and `/status` (JSON). GET and HEAD alone.
 */
export class NodeRoutes implements HttpSurface {
  readonly #report: NodeReport;
  readonly #scrapes: Scrapes<Awaited<ReturnType<NodeReport['metrics']>>>;
  readonly #routes: ReadonlyMap<string, Route>;
  #draining = false;

  constructor(report: NodeReport, clock: Clock) {
    this.#report = report;
    this.#scrapes = new Scrapes(() => report.metrics(), clock);
    this.#routes = new Map<string, Route>([
      ['/metrics', (response) => this.#metrics(response)],
      ['/livez', async (response) => sendText(response, 200, 'ok\n')],
      ['/readyz', (response, call) => this.#ready(response, call)],
      ['/status', async (response, call) => sendJson(response, 200, statusJson(await this.#report.status(call)))],
    ]);
  }

  /** From now on the node says that it is not ready, so that whoever balances load looks elsewhere. */
  drain(): void {
    this.#draining = true;
  }

  matches(request: IncomingMessage): boolean {
    return this.#routes.has(pathOf(request));
  }

  async handle(request: IncomingMessage, response: ServerResponse, call: Call): Promise<void> {
    const route = this.#routes.get(pathOf(request));
    if (route === undefined) throw new MeridianError('NOT_FOUND', 'no such path', { reason: 'unknown-path' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return sendText(response, 405, 'method not allowed\n');
    }
    await route(response, call);
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { contentType, text } = await this.#scrapes.get();
    response.setHeader('content-type', contentType);
    response.end(text);
  }

  async #ready(response: ServerResponse, call: Call): Promise<void> {
    if (this.#draining) return sendText(response, 503, 'not ready: the node is stopping\n');
    const { ready, notes } = await this.#report.status(call);
    const why = notes.join('; ');
    if (ready) return sendText(response, 200, why === '' ? 'ready\n' : `ready: ${why}\n`);
    sendText(response, 503, `not ready: ${why === '' ? 'starting' : why}\n`);
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}
