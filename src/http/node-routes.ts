import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '../model/call.ts';
import type { Member, NodeStatus } from '../model/cluster.ts';
import type { Entrance } from '../model/entrance.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import { type StatusJson, statusJson } from '../model/status-json.ts';
import type { Clock } from '../runtime/clock.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import { callerOf } from './caller-of.ts';
import { pathOf } from './path-of.ts';
import { Scrapes } from './scrapes.ts';
import { sendJson, sendText } from './send.ts';
import type { HttpSurface } from './surface.ts';

/** What a node tells over HTTP about itself. */
export interface NodeReport {
  /** The text of `/metrics`, and its content type. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** For whoever asks whether it is ready. */
  status(call: Call): Promise<NodeStatus>;
  /** What anything beyond readiness is told from. */
  readonly entrance: Entrance;
}

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Call;
}

type Route = (asked: Asked) => Promise<void>;

/**
 * `/metrics` (Prometheus), `/livez` (the process answers), `/readyz` (it can answer reads truthfully; 503 and the reasons
 * otherwise, also while it drains), `/status` and, of it, `/hot-keys` (JSON). GET and HEAD alone. Where the node asks for
 * tokens, all but `/livez` and `/readyz` need the right `status`; why the node is not ready is told to nobody else either.
 * Hot keys are those that the caller may read or list.
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
      ['/metrics', (asked) => this.#metrics(asked)],
      ['/livez', async ({ response }) => sendText(response, 200, 'ok\n')],
      ['/readyz', (asked) => this.#ready(asked)],
      [
        '/hot-keys',
        async (asked) => sendJson(asked.response, 200, { hotKeys: (await this.#status(asked)).hotKeys ?? [] }),
      ],
      ['/status', async (asked) => sendJson(asked.response, 200, await this.#wholeStatus(asked))],
    ]);
  }

  /** From now on the node says that it is not ready, so that whoever balances load looks elsewhere. */
  drain(): void {
    this.#draining = true;
  }

  matches(request: IncomingMessage): boolean {
    return this.#routes.has(pathOf(request));
  }

  /** Health is no secret, and asking for it changes nothing. */
  isForEverySite(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return path === '/livez' || path === '/readyz';
  }

  async handle(request: IncomingMessage, response: ServerResponse, call: Call): Promise<void> {
    const route = this.#routes.get(pathOf(request));
    if (route === undefined) throw new MeridianError('NOT_FOUND', 'no such path', { reason: 'unknown-path' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return sendText(response, 405, 'method not allowed\n');
    }
    await route({ request, response, call });
  }

  /** As the caller may see it. Who is gone is not kept until it is told. @throws UNAUTHENTICATED, PERMISSION_DENIED */
  async #status({ request, call }: Asked): Promise<NodeStatus> {
    return untilAborted(this.#report.entrance.enter(callerOf(request)).status(call), call.signal);
  }

  /** An origin's has the members that it knows without asking anybody: those registered, and the edges that follow it. */
  async #wholeStatus({ request, call }: Asked): Promise<StatusJson & { readonly members?: readonly Member[] }> {
    const upstream = this.#report.entrance.enter(callerOf(request));
    const status = await untilAborted(upstream.status(call), call.signal);
    if (status.node.role !== 'origin') return statusJson(status);
    const known = upstream.members({ ...call, forwarded: true }).catch(() => undefined);
    const members = await untilAborted(known, call.signal);
    return { ...statusJson(status), ...(members === undefined ? {} : { members }) };
  }

  async #metrics(asked: Asked): Promise<void> {
    // Asked for the sake of the right alone: metrics are told of a node that cannot tell its status, too.
    await this.#status(asked).catch((error: unknown) => {
      if (isRefusal(error)) throw error;
    });
    const { contentType, text } = await untilAborted(this.#scrapes.get(), asked.call.signal);
    asked.response.setHeader('content-type', contentType);
    asked.response.end(text);
  }

  async #ready(asked: Asked): Promise<void> {
    const { response, call } = asked;
    if (this.#draining) return sendText(response, 503, 'not ready: the node is drained, or stops\n');
    const told = await this.#status(asked).catch((error: unknown) => {
      if (isRefusal(error)) return undefined;
      throw error;
    });
    const { ready } = told ?? (await this.#report.status(call));
    const why = told?.notes.join('; ') ?? '';
    if (ready) return sendText(response, 200, why === '' ? 'ready\n' : `ready: ${why}\n`);
    sendText(response, 503, `not ready: ${why === '' ? 'starting' : why}\n`);
  }
}

/** The caller himself is refused, whatever the node could tell. */
function isRefusal(error: unknown): boolean {
  const { code } = toMeridianError(error);
  return code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED' || code === 'RESOURCE_EXHAUSTED';
}
