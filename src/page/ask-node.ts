import type {
  ErrorJson,
  KeysJson,
  NamespacesJson,
  RecordJson,
  TrackJson,
  ViewJson,
  WriteJson,
  WrittenJson,
} from '../http/page/page-json.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import { given } from './given.ts';

/** Milliseconds for the node to answer, and to say how it is: whoever looks at it is not left with old figures. */
const answerMs = 20_000;
const viewMs = 5_000;
const tokenName = 'meridian-token';

/** Why the node did not do what it was asked for; `UNREACHABLE` where it did not answer. */
export class Refused extends Error {
  readonly code: ErrorJson['code'] | 'UNREACHABLE';
  readonly details: Partial<ErrorJson>;

  constructor(code: Refused['code'], message: string, details: Partial<ErrorJson> = {}) {
    super(message);
    this.name = 'Refused';
    this.code = code;
    this.details = details;
  }
}

/** What was written last in each namespace, so that what is read next shows it. */
const lastWritten = new Map<string, string>();

/**
 * The token lives as long as the tab, and goes out in one header alone: in no address, no cookie and no storage that
 * outlives the tab.
 */
export const token = {
  get: (): string | undefined => sessionStorage.getItem(tokenName) ?? undefined,
  keep: (text: string): void => sessionStorage.setItem(tokenName, text),
  forget: (): void => {
    sessionStorage.removeItem(tokenName);
    lastWritten.clear();
  },
};

export interface NamedKey {
  readonly namespace: string;
  readonly key: string;
}

export interface ReadRecord {
  readonly record: RecordJson;
  readonly value: Uint8Array<ArrayBuffer>;
}

export const node = {
  view: (signal?: AbortSignal): Promise<ViewJson> => json('GET', 'view', {}, { signal, withinMs: viewMs }),
  track: (at: WrittenJson['position']): Promise<TrackJson> =>
    json('GET', 'track', { log: at.log, sequence: String(at.sequence) }),
  namespaces: (contains = ''): Promise<NamespacesJson> => json('GET', 'namespaces', { contains }),
  namespace: (name: string): Promise<NamespaceInfo> => json('GET', 'namespace', { name }),
  create: (title: string): Promise<NamespaceInfo> => json('POST', 'namespaces', {}, { body: { title } }),
  rename: (id: string, title: string): Promise<NamespaceInfo> => json('PUT', 'namespaces', { id }, { body: { title } }),
  remove: (id: string): Promise<NamespaceInfo> => json('DELETE', 'namespaces', { id }),
  keys: (namespace: string, prefix: string, cursor: string | undefined, limit: number): Promise<KeysJson> =>
    json('GET', 'keys', { namespace, prefix, limit: String(limit), ...after(namespace), ...given({ cursor }) }),
  record: readRecord,
  put: async (write: WriteJson): Promise<WrittenJson> =>
    noted(write.namespace, await json<WrittenJson>('PUT', 'record', {}, { body: write })),
  delete: async ({ namespace, key }: NamedKey, ifVersion: string | undefined): Promise<WrittenJson> => {
    const query = { namespace, key, ...given({ 'if-version': ifVersion }) };
    return noted(namespace, await json<WrittenJson>('DELETE', 'record', query));
  },
};

/** `atOrigin`: as it is now, whatever the node that is asked has of it. */
async function readRecord({ namespace, key }: NamedKey, bytesMax: number, atOrigin = false): Promise<ReadRecord> {
  const fresh = given({ 'at-origin': atOrigin ? '' : undefined });
  const query = { namespace, key, 'bytes-max': String(bytesMax), ...after(namespace), ...fresh };
  const response = await ask('GET', 'record', query);
  const record = JSON.parse(response.headers.get('meridian-record') ?? 'null') as RecordJson;
  return { record, value: new Uint8Array(await response.arrayBuffer()) };
}

function noted(namespace: string, written: WrittenJson): WrittenJson {
  const { log, sequence } = written.position;
  lastWritten.set(namespace, `${log}:${sequence}:${written.version}`);
  return written;
}

function after(namespace: string): { readonly after?: string } {
  return given({ after: lastWritten.get(namespace) });
}

interface Sent {
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
  readonly withinMs?: number;
}

async function json<T>(method: string, path: string, query?: Record<string, string>, sent?: Sent): Promise<T> {
  return (await (await ask(method, path, query, sent)).json()) as T;
}

async function ask(method: string, path: string, query: object = {}, sent: Sent = {}): Promise<Response> {
  const text = new URLSearchParams(query as Record<string, string>).toString();
  const authorization = token.get();
  const late = AbortSignal.timeout(sent.withinMs ?? answerMs);
  let response: Response;
  try {
    response = await fetch(`/page/${path}${text === '' ? '' : `?${text}`}`, {
      method,
      credentials: 'omit',
      cache: 'no-store',
      signal: sent.signal === undefined ? late : AbortSignal.any([sent.signal, late]),
      headers: {
        ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
        ...(sent.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
    });
  } catch (error) {
    if (sent.signal?.aborted) throw error;
    throw new Refused('UNREACHABLE', 'this node does not answer');
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => ({}))) as Partial<ErrorJson>;
  throw new Refused(said.code ?? 'INTERNAL', said.message ?? `the node answered ${response.status}`, said);
}
