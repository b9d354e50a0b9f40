import { type Caller, FairBudget } from './fair-budget.ts';
import { Semaphore } from './semaphore.ts';

export interface UploadRoomOptions {
  /** Bytes of requests in memory that are not small, batches beyond one value's size aside. */
  readonly bytesMax: number;
  /** Bytes of a request with the largest value, which a request is taken to have that does not say its length. */
  readonly valueBytesMax: number;
  /** Bytes of the largest request that the node takes. At least 4 MiB, which is one message of gRPC. */
  readonly requestBytesMax: number;
}

const bounds = {
  /** Bytes of a request that count as none, so that small ones wait for nobody. */
  smallBytesMax: 64 * 1024,
  /** Those that wait hold what their transport lets arrive unread, about 1 MiB each: in all as much again as the room has. */
  waitingBytes: 1024 * 1024,
  waitingMin: 16,
  waitingMax: 256,
  /** Batches larger than a value that are in memory at once: one has up to 100 MB. */
  batches: 1,
  batchesWaitingMax: 64,
  /** One caller, that is one connection, has this part of the room, and of the places to wait for it. */
  callerShare: 1 / 2,
} as const;

export interface UploadPlace {
  /** Waits for room. False where too many wait already; throws the signal's reason. */
  acquire(signal: AbortSignal): Promise<boolean>;
  release(): void;
}

/**
 * Room in memory for requests with large bodies, for all listeners of a node. A sender who stalls keeps what it sent in
 * memory; so a body takes room once it is no longer small, for as much as it may become, and is not read on before.
 */
export class UploadRoom {
  readonly smallBytesMax = bounds.smallBytesMax;
  readonly valueBytesMax: number;
  readonly requestBytesMax: number;
  /** For bodies up to a value's size. */
  readonly values: FairBudget;
  /** For what is larger; it takes its place after its room, and gives both back without waiting for more. */
  readonly batches = new Semaphore(bounds.batches, bounds.batchesWaitingMax);

  constructor({ bytesMax, valueBytesMax, requestBytesMax }: UploadRoomOptions) {
    this.valueBytesMax = Math.min(valueBytesMax, requestBytesMax);
    this.requestBytesMax = requestBytesMax;
    const waitingMax = Math.min(
      bounds.waitingMax,
      Math.max(bounds.waitingMin, Math.floor(bytesMax / bounds.waitingBytes)),
    );
    this.values = new FairBudget({
      ...{ bytesMax, callerBytesMax: bytesMax * bounds.callerShare },
      ...{ waitingMax, callerWaitingMax: waitingMax * bounds.callerShare },
    });
  }

  /** A place for a body of up to so many bytes. */
  place(bytes: number, caller: Caller): UploadPlace {
    if (bytes > this.valueBytesMax) {
      return { acquire: (signal) => this.batches.acquire(signal), release: () => this.batches.release() };
    }
    return {
      acquire: (signal) => this.values.take(bytes, caller, signal),
      release: () => this.values.give(bytes, caller),
    };
  }
}
