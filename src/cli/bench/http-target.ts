import { Agent, request } from 'node:http';
import { type ErrorCode, MeridianError } from '../../model/errors.ts';
import type { LoadTarget } from './load-target.ts';

export interface HttpTargetOptions {
  /** Where the node serves HTTP. */
  readonly host: string;
  readonly port: number;
  readonly namespaceId: string;
  readonly token: string | undefined;
  /** Connections at the most; each call takes one. */
  readonly connections: number;
  /** Milliseconds for one call. */
  readonly timeoutMs: number;
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** By the REST API of Workers KV, over connections that are kept. */
export function httpTarget(options: HttpTargetOptions): LoadTarget {
  const { host, port, namespaceId, token, connections, timeoutMs } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const path = `/client/v4/accounts/bench/storage/kv/namespaces/${namespaceId}/values/`;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = (method: 'GET' | 'PUT', key: string, body?: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => {
        const message = `${host}:${port}: ${error.message}`;
        reject(new MeridianError('UNAVAILABLE', message, { reason: 'http-failed', cause: error }));
      };
      const length = body === undefined ? {} : { 'content-length': body.byteLength };
      const place = { agent, host, port, method, path: path + encodeURIComponent(key), timeout: timeoutMs };
      const asked = request({ ...place, headers: { ...headers, ...length } }, (answer) => {
        const status = answer.statusCode ?? 0;
        answer.on('error', failed);
        answer.resume().on('end', () => {
          if (status < 300) resolve();
          else reject(new MeridianError(codes[status] ?? 'INTERNAL', `status ${status}`, { reason: 'http-status' }));
        });
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      asked.on('error', failed);
      asked.end(body);
    });
  return {
    get: (key) => call('GET', key),
    put: (key, value) => call('PUT', key, value),
    close: () => agent.destroy(),
  };
}
