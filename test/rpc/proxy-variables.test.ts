import { afterEach, expect, it, vi } from 'vitest';
import { aCall, overLoopback, upstreamWith } from './loopback.ts';

afterEach(() => vi.unstubAllEnvs());

it.each(['grpc_proxy', 'http_proxy', 'https_proxy'])(
  'a node is reached although %s names a proxy, at which nobody answers',
  async (variable) => {
    for (const none of ['grpc_proxy', 'http_proxy', 'https_proxy', 'no_proxy', 'no_grpc_proxy']) vi.stubEnv(none, '');
    vi.stubEnv(variable, 'http://127.0.0.1:1');
    const { remote, close } = await overLoopback(upstreamWith({ namespaces: async () => [] }));
    try {
      expect(await remote.namespaces(aCall())).toEqual([]);
    } finally {
      await close();
    }
  },
);
