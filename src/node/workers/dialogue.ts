import { MeridianError, toMeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { decodeFailure, encodeFailure, type WireFailure } from './wire-failure.ts';

/** What the processes of one edge ask each other. `alive` wants any answer at all. */
export type Question = 'alive' | 'status' | 'metrics' | 'drain' | 'stop';

export type DialogueMessage =
  | { readonly kind: 'asks'; readonly id: number; readonly question: Question }
  | { readonly kind: 'answers'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'refuses'; readonly id: number; readonly failure: WireFailure };

export interface DialogueOptions {
  readonly clock: Clock;
  /** Sends to the other side; false where that is gone. */
  readonly send: (message: DialogueMessage) => boolean;
  /** Answers the other side. Default: nothing is known here. */
  readonly answer?: (question: Question) => Promise<unknown>;
}

/** Questions under way at once; one more is refused. */
const questionsMax = 1024;

interface Pending {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Questions and answers between two processes, each side asking the other. */
export class Dialogue {
  readonly #options: DialogueOptions;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended = false;

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  /** @throws what the other side throws; UNAVAILABLE where it is gone; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED */
  ask(question: Question, withinMs: number): Promise<unknown> {
    if (this.#ended) return Promise.reject(gone());
    if (this.#pending.size >= questionsMax) return Promise.reject(tooMany());
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      const timer = this.#options.clock.timer(withinMs, () => settle(() => reject(tooLate(withinMs))));
      const settle = (run: () => void) => {
        timer.cancel();
        this.#pending.delete(id);
        run();
      };
      this.#pending.set(id, {
        resolve: (answer) => settle(() => resolve(answer)),
        reject: (error) => settle(() => reject(error)),
      });
      if (!this.#options.send({ kind: 'asks', id, question })) this.#pending.get(id)?.reject(gone());
    });
  }

  /** A message of the other side. An answer that comes too late is nothing to anybody. */
  take(message: DialogueMessage): void {
    if (message.kind === 'asks') void this.#answer(message.id, message.question);
    else if (message.kind === 'answers') this.#pending.get(message.id)?.resolve(message.answer);
    else this.#pending.get(message.id)?.reject(decodeFailure(message.failure));
  }

  /** The other side is gone: whoever waits is told. */
  end(): void {
    this.#ended = true;
    for (const pending of [...this.#pending.values()]) pending.reject(gone());
  }

  async #answer(id: number, question: Question): Promise<void> {
    const { send, answer } = this.#options;
    try {
      if (answer === undefined)
        throw new MeridianError('UNIMPLEMENTED', 'nothing is told here', { reason: 'not-told' });
      send({ kind: 'answers', id, answer: await answer(question) });
    } catch (error) {
      send({ kind: 'refuses', id, failure: encodeFailure(toMeridianError(error)) });
    }
  }
}

function gone(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the other process of this edge is gone', { reason: 'process-gone' });
}

function tooMany(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `${questionsMax} questions to that process are under way`, {
    reason: 'too-many-questions',
    limit: questionsMax,
    seen: questionsMax + 1,
  });
}

function tooLate(withinMs: number): MeridianError {
  const message = `the other process of this edge did not answer within ${withinMs} ms`;
  return new MeridianError('DEADLINE_EXCEEDED', message, { reason: 'process-silent' });
}
