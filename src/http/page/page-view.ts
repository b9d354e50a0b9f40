import type { NodeStatus } from '../../model/cluster.ts';
import { MeridianError, toMeridianError } from '../../model/errors.ts';
import { type StatusJson, statusJson } from '../../model/status-json.ts';
import { around } from '../../model/upstream.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import { sendJson } from '../send.ts';
import { bad, bodyOf, type PageExchange, required } from './page-data.ts';
import type { NamespacesJson, TellerJson, TitleJson, TrackJson, ViewJson } from './page-json.ts';

/** Bytes of a request that says a title. */
const titleBytesMax = 16 * 1024;
/** Namespaces of one answer: more are found by a part of their titles. */
const namespacesMax = 200;

export async function sendView({ upstream, call, soon, response }: PageExchange): Promise<void> {
  const [node, others, members] = await untilAborted(
    Promise.all([
      upstream.status(call),
      around(upstream, soon),
      upstream.members(soon).catch((error: unknown) => toMeridianError(error)),
    ]),
    call.signal,
  );
  const view: ViewJson = {
    node: statusOf(node),
    around: others.map(statusOf),
    ...(members instanceof MeridianError ? { members: [], membersUnknown: members.message } : { members }),
  };
  sendJson(response, 200, view);
}

/** All but tracks, which are long, and asked for one at a time. */
function statusOf({ tracks: _tracks, ...status }: NodeStatus): StatusJson {
  return statusJson(status);
}

export async function sendTrack({ upstream, call, soon, query, response }: PageExchange): Promise<void> {
  const log = required(query, 'log');
  const sequence = Number(required(query, 'sequence'));
  const statuses = await untilAborted(Promise.all([upstream.status(call), around(upstream, soon)]), call.signal);
  const tellers = [statuses[0], ...statuses[1]].flatMap(({ node, tracks = [] }: NodeStatus): TellerJson[] => {
    const track = tracks.find((one) => one.log === log && one.sequence === sequence);
    if (track === undefined) return [];
    return [{ id: node.id, name: node.name, ageMs: track.ageMs, arrivals: track.arrivals }];
  });
  const track: TrackJson = { tellers };
  sendJson(response, 200, track);
}

/** Those whose titles contain a text, as the caller may see them. */
export async function listNamespaces({ upstream, call, query, response }: PageExchange): Promise<void> {
  const contained = query.get('contains') ?? '';
  const found = (await upstream.namespaces(call)).filter(({ title }) => title.includes(contained));
  const namespaces = [...found].sort((a, b) => (a.title < b.title ? -1 : 1)).slice(0, namespacesMax);
  const answer: NamespacesJson = { namespaces, total: found.length };
  sendJson(response, 200, answer);
}

/** The one of a title or id, whether it is among those that are listed or not. */
export async function sendNamespace({ upstream, call, query, response }: PageExchange): Promise<void> {
  sendJson(response, 200, await upstream.find(required(query, 'name'), call));
}

export async function createNamespace(exchange: PageExchange): Promise<void> {
  const title = await readTitle(exchange);
  const { namespace } = await exchange.upstream.create(title, exchange.call);
  sendJson(exchange.response, 200, namespace);
}

export async function renameNamespace(exchange: PageExchange): Promise<void> {
  const title = await readTitle(exchange);
  const { namespace } = await exchange.upstream.rename(required(exchange.query, 'id'), title, exchange.call);
  sendJson(exchange.response, 200, namespace);
}

export async function removeNamespace({ upstream, call, query, response }: PageExchange): Promise<void> {
  const { namespace } = await upstream.remove(required(query, 'id'), call);
  sendJson(response, 200, namespace);
}

async function readTitle(exchange: PageExchange): Promise<string> {
  return bodyOf(exchange, titleBytesMax, async (body) => {
    const { title } = body as Partial<TitleJson>;
    if (typeof title === 'string') return title;
    throw bad('the request names no title');
  });
}
