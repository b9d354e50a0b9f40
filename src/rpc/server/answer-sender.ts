import type { AnswerRoom } from '../../runtime/answer-room.ts';
import type { Caller } from '../../runtime/fair-budget.ts';
import { Notice } from '../../runtime/notice.ts';
import { type AnsweredGet, answerBytesMax, encodeGets } from '../codec/pipeline-responses.ts';
import type { RecordBodies } from '../codec/record-body.ts';

const bounds = {
  /** About how many bytes one message has; a larger answer has a message of its own. */
  messageBytes: 256 * 1024,
  /** Bytes of answers, ready or sent, that the transport has not taken: at this many, nothing more is begun. */
  waitingBytesMax: 1024 * 1024,
  /** Bytes that are sent before the transport has taken them: what comes meanwhile travels together. */
  aheadBytesMax: 256 * 1024,
  /**
   * The same in messages. The transport takes one message of a stream in each turn of the event loop: a busy node has
   * few turns, and messages of one answer each would queue for them.
   */
  aheadMessagesMax: 2,
} as const;

/** An answer that is ready to be sent. */
type Ready =
  | (AnsweredGet & { readonly bytes: number; readonly release?: () => void })
  /** A part of a message. */
  | { readonly part: Buffer; readonly bytes: number };

export interface AnswerSenderOptions {
  readonly write: (message: Buffer, taken: () => void) => void;
  readonly room: AnswerRoom;
  readonly caller: Caller;
  readonly bodies: RecordBodies;
}

/**
 * Sends the answers of one stream: those that are ready together go together, in few messages, and no faster than they
 * are read. Answers that wait for a slow reader are records that the node holds anyway, or have room of their own. They
 * are encoded when they leave, and the bytes of large messages take room until the transport has them.
 */
export class AnswerSender {
  readonly #options: AnswerSenderOptions;
  #ready: Ready[] = [];
  #readyBytes = 0;
  #aheadBytes = 0;
  #aheadMessages = 0;
  #isFlushPlanned = false;
  #isOver = false;
  /** Room of messages that the transport has not taken: of a cancelled stream it never says that it has. */
  readonly #held = new Set<() => void>();
  /** Given when the transport has taken something. */
  readonly #taken = new Notice();
  /** Messages sent so far: a test counts them. */
  messages = 0;

  constructor(options: AnswerSenderOptions) {
    this.#options = options;
  }

  /** Answers that are not sent yet. */
  get size(): number {
    return this.#ready.length;
  }

  get isFull(): boolean {
    return this.#readyBytes + this.#aheadBytes >= bounds.waitingBytesMax;
  }

  get isEmpty(): boolean {
    return this.#ready.length === 0 && this.#aheadBytes === 0;
  }

  /** Resolves when the transport has taken something, or the signal is aborted. */
  once(signal: AbortSignal): Promise<void> {
    return this.#taken.next(signal);
  }

  /** Lets those that wait for the transport look again. */
  wake(): void {
    this.#taken.give();
  }

  get({ id, answer, terms }: Omit<AnsweredGet, 'body'>, release?: () => void): void {
    const body = answer.record && this.#options.bodies.of(answer.record);
    const ready = { id, answer, terms, body, bytes: answerBytesMax + (body?.bytes ?? 0) };
    this.#push(release === undefined ? ready : { ...ready, release });
  }

  part(part: Buffer): void {
    this.#push({ part, bytes: part.length });
  }

  /** Sends what is ready at the end of this turn, with what else becomes ready in it. */
  plan(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    process.nextTick(() => {
      this.#isFlushPlanned = false;
      this.flush();
    });
  }

  flush(): void {
    while (this.#ready.length > 0 && this.#mayGoAhead && !this.#isOver) {
      if (this.#sendOne(bounds.messageBytes)) continue;
      // Small messages need no room, and one at a time is what a unary call may have waiting too.
      if (this.#aheadBytes > 0 || !this.#sendOne(this.#options.room.largeBytesMin - 1)) return;
    }
  }

  get #mayGoAhead(): boolean {
    return this.#aheadBytes < bounds.aheadBytesMax && this.#aheadMessages < bounds.aheadMessagesMax;
  }

  /** Drops what was not sent. */
  stop(): void {
    this.#isOver = true;
    for (const ready of this.#ready) if ('release' in ready) ready.release?.();
    for (const release of this.#held) release();
    this.#held.clear();
    this.#ready = [];
    this.#readyBytes = 0;
    this.#taken.give();
  }

  #push(ready: Ready): void {
    if (this.#isOver) {
      if ('release' in ready) ready.release?.();
      return;
    }
    this.#ready.push(ready);
    this.#readyBytes += ready.bytes;
  }

  /** False if it must wait for room. */
  #sendOne(bytesMax: number): boolean {
    const { room, caller } = this.#options;
    let count = 0;
    let bytes = 0;
    let uncounted = 0;
    for (const ready of this.#ready) {
      if (count > 0 && bytes + ready.bytes > bytesMax) break;
      bytes += ready.bytes;
      if (!('release' in ready)) uncounted += ready.bytes;
      count++;
    }
    const release = room.tryReserve(uncounted, caller);
    if (release === undefined) return false;
    const taken = this.#ready.splice(0, count);
    this.#readyBytes -= bytes;
    this.#write(taken, bytes, release);
    return true;
  }

  #write(taken: readonly Ready[], bytes: number, release: () => void): void {
    const { write } = this.#options;
    const gets: AnsweredGet[] = [];
    const parts: Buffer[] = [];
    for (const ready of taken) {
      if ('part' in ready) parts.push(ready.part);
      else gets.push(ready);
    }
    if (gets.length > 0) parts.unshift(encodeGets(gets));
    const [only = Buffer.alloc(0)] = parts;
    const free = () => {
      release();
      for (const ready of taken) if ('release' in ready) ready.release?.();
    };
    this.#aheadBytes += bytes;
    this.#aheadMessages++;
    this.#held.add(free);
    this.messages++;
    write(parts.length === 1 ? only : Buffer.concat(parts), () => {
      if (!this.#held.delete(free)) return;
      this.#aheadBytes -= bytes;
      this.#aheadMessages--;
      free();
      this.flush();
      this.#taken.give();
    });
  }
}
