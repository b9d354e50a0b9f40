import type { Call } from '../../model/call.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import type { Caller } from '../../runtime/fair-budget.ts';
import { Notice } from '../../runtime/notice.ts';
import { tooManyAnswers } from './held-answers.ts';
import { type Sending, sendTo } from './unary.ts';
import type { WireWatchResponse } from './watch-messages.ts';

/** Bytes of a message besides its value and metadata. */
const restBytes = 1024;

export interface WatchSenderOptions {
  readonly served: Sending<WireWatchResponse>;
  readonly room: AnswerRoom;
  /** Whose share of the room it is. */
  readonly caller: Caller;
}

/**
 * Sends the messages of a watch no faster than its client takes them. gRPC's stream takes sixteen before it says that it
 * is full, however large they are, and there may be thousands of watches whose clients take nothing. So a large message
 * has room among all large answers until the transport has taken it, and of small ones as many wait as make a large one.
 */
export class WatchSender {
  readonly #options: WatchSenderOptions;
  #waitingBytes = 0;
  readonly #taken = new Notice();

  constructor(options: WatchSenderOptions) {
    this.#options = options;
  }

  /** Resolves when another message may come. @throws RESOURCE_EXHAUSTED; the signal's reason */
  async send(message: WireWatchResponse, signal: AbortSignal): Promise<void> {
    const { served, room } = this.#options;
    const bytes = restBytes + (message.change?.value.byteLength ?? 0) + (message.change?.metadata?.length ?? 0);
    if (bytes >= room.largeBytesMin) return this.#sendLarge(message, bytes, { signal });
    signal.throwIfAborted();
    this.#waitingBytes += bytes;
    served.write(message, () => {
      this.#waitingBytes -= bytes;
      this.#taken.give();
    });
    while (this.#waitingBytes >= room.largeBytesMin) {
      await this.#taken.next(signal);
      signal.throwIfAborted();
    }
  }

  async #sendLarge(message: WireWatchResponse, bytes: number, call: Pick<Call, 'signal'>): Promise<void> {
    const { served, room, caller } = this.#options;
    const release = await room.reserve(bytes, { caller, call });
    if (release === undefined) throw tooManyAnswers();
    await sendTo(served, message, call.signal).finally(release);
  }
}
