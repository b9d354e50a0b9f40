import type { NamespaceInfo } from '../../model/namespace.ts';
import { sendResult } from './envelope.ts';
import { wholeNumber } from './expiration.ts';
import { Refusal } from './refusal.ts';
import { type RestExchange, withRestJson } from './rest-exchange.ts';

/** Bytes of a request that says a title. */
const titleRequestBytesMax = 16 * 1024;
/** The documents say at most 100, and the vendor's own command line asks for 1000. */
const pageSize = { least: 5, most: 1000, usual: 20 } as const;

export async function listNamespaces({ query, upstream, call, response }: RestExchange): Promise<void> {
  const page = pageNumber(query.get('page'));
  const perPage = pageLength(query.get('per_page'));
  const order = query.get('order') === 'title' ? 'title' : 'id';
  const sign = query.get('direction') === 'desc' ? -1 : 1;
  const all = [...(await upstream.namespaces(call))].sort((a, b) => (a[order] < b[order] ? -sign : sign));
  const result = all.slice((page - 1) * perPage, page * perPage).map(shown);
  sendResult(response, result, {
    page,
    per_page: perPage,
    count: result.length,
    total_count: all.length,
    total_pages: Math.ceil(all.length / perPage),
  });
}

export async function createNamespace(exchange: RestExchange): Promise<void> {
  const { namespace } = await exchange.upstream.create(await readTitle(exchange), exchange.call);
  sendResult(exchange.response, shown(namespace));
}

export async function showNamespace({ upstream, call, response }: RestExchange, id: string): Promise<void> {
  sendResult(response, shown(await upstream.find(id, call)));
}

export async function renameNamespace(exchange: RestExchange, id: string): Promise<void> {
  const { namespace } = await exchange.upstream.rename(id, await readTitle(exchange), exchange.call);
  sendResult(exchange.response, shown(namespace));
}

export async function removeNamespace({ upstream, call, response }: RestExchange, id: string): Promise<void> {
  await upstream.remove(id, call);
  sendResult(response, null);
}

function shown({ id, title }: NamespaceInfo): unknown {
  return { id, title, supports_url_encoding: true };
}

interface TitleRequest {
  readonly title?: unknown;
  readonly jurisdiction?: unknown;
}

function readTitle(exchange: RestExchange): Promise<string> {
  return withRestJson(exchange, titleRequestBytesMax, async (body) => {
    const { title, jurisdiction } = (typeof body === 'object' && body !== null ? body : {}) as TitleRequest;
    if (typeof title !== 'string' || title === '') throw new Refusal(400, 'missing title', 10019);
    // A promise about where data are kept, which nobody here could hold.
    if (jurisdiction !== undefined && jurisdiction !== null) {
      throw new Refusal(400, 'jurisdiction is not supported: data are where the nodes of this cluster are', 10001);
    }
    return title;
  });
}

function pageNumber(text: string | null): number {
  const page = text === null ? 1 : wholeNumber(text);
  if (page === undefined || page < 1) throw new Refusal(400, 'malformed page', 10007);
  return page;
}

function pageLength(text: string | null): number {
  const length = text === null ? pageSize.usual : wholeNumber(text);
  if (length === undefined || length < pageSize.least || length > pageSize.most) {
    throw new Refusal(400, 'malformed per_page', 10008);
  }
  return length;
}
