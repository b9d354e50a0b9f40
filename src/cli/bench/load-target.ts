import type { Namespace } from '../../client/namespace.ts';

/** What load is put on: one namespace, by one protocol. Any number of calls may be under way. */
export interface LoadTarget {
  /** @throws MeridianError where it is refused, or there is no such key */
  get(key: string): Promise<void>;
  /** @throws MeridianError */
  put(key: string, value: Uint8Array): Promise<void>;
  close(): void;
}

/** By gRPC, as the client does it. Who made the namespace closes it. */
export function clientTarget(namespace: Namespace): LoadTarget {
  return {
    get: async (key) => void (await namespace.get(key, 'arrayBuffer')),
    put: (key, value) => namespace.put(key, value),
    close: () => {},
  };
}
