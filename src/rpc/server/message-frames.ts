/** Bytes before each message of a gRPC stream: one says whether it is compressed, four its length. */
const headBytes = 5;

/**
 * Follows the messages of a gRPC stream through its bytes as they come, without keeping any:
 *
 *     00 00 00 00 03 | a b c | 00 00 00 …
 *     head             message  head of the next one
 */
export class MessageFrames {
  readonly #begun: (bytes: number) => void;
  readonly #ended: () => void;
  #headSeen = 0;
  #length = 0;
  #left = 0;

  /** `begun` is called with each message's length before its first byte, `ended` after its last. */
  constructor(begun: (bytes: number) => void, ended: () => void) {
    this.#begun = begun;
    this.#ended = ended;
  }

  take(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headSeen < headBytes) {
        const byte = chunk[at++] ?? 0;
        this.#length = this.#headSeen++ === 0 ? 0 : this.#length * 256 + byte;
        if (this.#headSeen < headBytes) continue;
        this.#left = this.#length;
        this.#begun(this.#length);
      }
      const taken = Math.min(this.#left, chunk.length - at);
      this.#left -= taken;
      at += taken;
      if (this.#left > 0) continue;
      this.#headSeen = 0;
      this.#ended();
    }
  }
}
