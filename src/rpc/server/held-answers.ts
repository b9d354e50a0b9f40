import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import type { AnswerRoom, Asked } from '../../runtime/answer-room.ts';
import type { Served } from './call-of.ts';

/** Answers of one call, read within the room that is left; it is freed once the caller has them, or is gone. */
export class HeldAnswers {
  readonly #room: AnswerRoom;
  readonly #served: Served;
  readonly #call: Call;
  readonly #caller: string;

  constructor(room: AnswerRoom, served: Served, call: Call) {
    this.#room = room;
    this.#served = served;
    this.#call = call;
    this.#caller = served.getPeer();
  }

  /** @throws RESOURCE_EXHAUSTED if too many wait, and what `read` throws; `read` may be called twice */
  async one<A>(of: AnswerName, read: () => Promise<A>, bytesOf: (answer: A) => number): Promise<A> {
    const held = await this.#room.hold(this.#asked(of), read, bytesOf);
    if (held === undefined) throw tooManyAnswers();
    this.#releaseWhenOver(held.release);
    return held.answer;
  }

  /** Reserves room for several answers, of so many bytes in all; `within` reads each. @throws RESOURCE_EXHAUSTED */
  async reserve(bytes: number): Promise<void> {
    const release = await this.#room.reserve(bytes, { caller: this.#caller, call: this.#call });
    if (release === undefined) throw tooManyAnswers();
    this.#releaseWhenOver(release);
  }

  /** Reads one of several answers for which there is room. @throws RESOURCE_EXHAUSTED, and what `read` throws */
  async within<A>(of: AnswerName, read: () => Promise<A>, bytesOf: (answer: A) => number): Promise<A> {
    const answer = await this.#room.read(this.#asked(of), read, bytesOf);
    if (answer === undefined) throw tooManyAnswers();
    return answer;
  }

  #asked(of: AnswerName): Asked {
    return { ...of, caller: this.#caller, call: this.#call };
  }

  /** gRPC reports every call as cancelled when its stream closes, answered ones too. */
  #releaseWhenOver(release: () => void): void {
    if (this.#served.cancelled === true) release();
    else this.#served.on('cancelled', release);
  }
}

export type AnswerName = Pick<Asked, 'namespace' | 'key' | 'expectedBytesMin'>;

export function tooManyAnswers(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'too many large answers wait for room in memory', {
    reason: 'values-under-way',
    retryAfterMs: 1000,
  });
}
