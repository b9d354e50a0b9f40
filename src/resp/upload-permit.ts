import type { UploadRoom } from '../runtime/upload-room.ts';
import type { Wanted } from './protocol/command-parser.ts';

/** Arguments behind a large one that are taken to be small: options, say. */
const fewArguments = 8;

/**
 * The room in memory that one connection holds for a command that is not small. At first it is for what is known of the
 * command: one value as its length says, or as much as a value may have where many arguments follow. A command that grows
 * beyond it takes the place of a batch, and then waits for nothing more, so that no two wait for each other.
 */
export class UploadPermit {
  readonly #room: UploadRoom;
  readonly #caller: object;
  #releases: Array<() => void> = [];
  /** Bytes that the command may have so far. */
  #grantedBytes = 0;

  constructor(room: UploadRoom, caller: object) {
    this.#room = room;
    this.#caller = caller;
  }

  get isHeld(): boolean {
    return this.#grantedBytes > 0;
  }

  /** How many bytes the command may have; undefined where too many wait already. Throws the signal's reason. */
  async take(wanted: Wanted, signal: AbortSignal): Promise<number | undefined> {
    const { valueBytesMax, smallBytesMax } = this.#room;
    if (!this.isHeld) {
      const likelyBytes = wanted.argumentsLeft > fewArguments ? valueBytesMax : wanted.bytes + smallBytesMax;
      const bytes = Math.min(likelyBytes, valueBytesMax);
      if (!(await this.#room.values.take(bytes, this.#caller, signal))) return undefined;
      this.#grantedBytes = bytes;
      this.#releases.push(() => this.#room.values.give(bytes, this.#caller));
    }
    if (wanted.bytes > this.#grantedBytes) {
      if (!(await this.#room.batches.acquire(signal))) return undefined;
      this.#grantedBytes = Number.POSITIVE_INFINITY;
      this.#releases.push(() => this.#room.batches.release());
    }
    return this.#grantedBytes;
  }

  /** What is held is the command's from here on: gives it back when it is called. */
  hand(): () => void {
    if (!this.isHeld) return nothing;
    const releases = this.#releases;
    this.#releases = [];
    this.#grantedBytes = 0;
    return () => {
      for (const release of releases.splice(0)) release();
    };
  }
}

const nothing = (): void => {};
