import { isMeridianError } from '../../src/model/errors.ts';

/** A decoder of what comes from outside: from the network, from a disk, from an operator. */
export interface FuzzTarget {
  /** Of the folder of its corpus, too. */
  readonly name: string;
  /** Throws where the decoder breaks a promise: what it refuses it refuses in the way that it says. */
  readonly run: (bytes: Buffer) => void | Promise<void>;
  /** Some that are understood, from which a fuzzer begins. */
  readonly seeds: () => readonly Buffer[];
}

/** What `run` returns; undefined where it refuses as it may. @throws what it must not throw */
export function orRefused<T>(run: () => T, mayThrow: (error: unknown) => boolean = isRefusal): T | undefined {
  try {
    return run();
  } catch (error) {
    if (mayThrow(error)) return undefined;
    throw error;
  }
}

/** A refusal of the request: any other code says that the node, and not the request, is at fault. */
export function isRefusal(error: unknown): boolean {
  return isMeridianError(error, 'INVALID_ARGUMENT');
}

export function check(holds: boolean, promise: string, seen: unknown): void {
  if (!holds) throw new Error(`broken: ${promise}; seen ${JSON.stringify(seen)}`);
}

/** Two parts of the input: the first is as long as its first byte says. */
export function parted(bytes: Buffer): readonly [Buffer, Buffer] {
  const end = 1 + Math.min(bytes[0] ?? 0, Math.max(0, bytes.length - 1));
  return [bytes.subarray(1, end), bytes.subarray(end)];
}
