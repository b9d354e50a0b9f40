/** What gRPC reports to metrics. Every method returns at once and throws nothing. */
export interface RpcObserver {
  /** A call was answered, or a stream ended. `method` is `KV/Get`, say; `reason` is the error's, if it failed. */
  answered(method: string, code: string, reason: string | undefined, elapsedMs: number): void;
  /** One message of a feed, encoded. */
  feedMessage(direction: 'sent' | 'received', bytes: number): void;
}

const nothing = (): void => {};

export const silentRpcObserver: RpcObserver = { answered: nothing, feedMessage: nothing };
