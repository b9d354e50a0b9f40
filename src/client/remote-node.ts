import type { Call } from '../model/call.ts';
import type { Cluster, DrainProgress, DrainRequest } from '../model/cluster.ts';
import type { GetAnswer, GetRequest, KeyValue, ReadOptions, ValueWaiter } from '../model/key-value.ts';
import type { Namespaces } from '../model/namespaces.ts';
import type { Tokens } from '../model/token.ts';
import type { WatchEvent, WatchRequest } from './watch-event.ts';

/** One node as the client uses it: what RemoteUpstream is over a connection, and a fake is in tests. */
export interface RemoteNode extends KeyValue, Namespaces, Cluster, Tokens {
  /** Whether the connection to it is made; unset where it needs none. */
  readonly isConnected?: boolean;
  /**
   * Begins the get of a value alone, without a promise of its own: `waiter` is told once. False where it cannot be
   * asked so, and was not begun. Where it fails, `goOn` asks again what may be asked again.
   */
  beginGet?(key: string, read: ReadOptions, call: Call, waiter: ValueWaiter): boolean;
  /** @throws `failure` where nothing may come of another attempt */
  goOn?(failure: unknown, request: GetRequest, call: Call): Promise<GetAnswer>;
  /** Up to 100 keys of one namespace in few messages; answers in the order of the keys. @throws as `get` */
  getMany(request: GetManyRequest, call: Call): Promise<readonly GetAnswer[]>;
  /** Runs until the signal is aborted or the stream breaks; it does not resume by itself. */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Takes the node out of traffic, or says how far that is. @throws UNIMPLEMENTED by nodes that cannot be asked that */
  drain(request: DrainRequest, call: Call): Promise<DrainProgress>;
  close(): void;
}

export interface GetManyRequest extends Omit<GetRequest, 'key'> {
  readonly keys: readonly string[];
}
