import type { AnswerSource } from '../../client/answer.ts';
import type { ComparedRecord } from './compared-record.ts';

/** One of two things that are compared, and what is to be said of it in the end. */
export class ComparedSide {
  readonly what: string;
  /** In the order of their keys' bytes. */
  records: AsyncIterable<ComparedRecord> = none();
  /** Records that cannot be read there. */
  damaged = 0;
  /** Of a namespace: seconds, the largest of all answers; null = unknown. */
  #staleness: number | null = 0;
  #past = false;
  /** Whose answers these were; none of a file. */
  readonly #sources = new Set<string>();

  constructor(what: string) {
    this.what = what;
  }

  answered({ staleness, past, source, responder }: AnswerSource): void {
    this.#sources.add(`${source} at ${responder}`);
    this.#staleness = staleness === null || this.#staleness === null ? null : Math.max(this.#staleness, staleness);
    this.#past ||= past;
  }

  asJson(): object {
    const damaged = this.damaged === 0 ? {} : { damaged: this.damaged };
    if (this.#sources.size === 0) return { what: this.what, ...damaged };
    return { what: this.what, sources: [...this.#sources], staleness: this.#staleness, past: this.#past, ...damaged };
  }

  asText(): string {
    const damaged = this.damaged === 0 ? '' : `; ${this.damaged} damaged records are not compared`;
    if (this.#sources.size === 0) return `${this.what}: as it stands there${damaged}`;
    const age = this.#staleness === null ? 'of unknown age' : `at most ${this.#staleness.toFixed(3)} s old`;
    const past = this.#past ? ', which is past what was asked for' : '';
    return `${this.what}: ${age}${past} (${[...this.#sources].join(', ')})${damaged}`;
  }
}

async function* none(): AsyncGenerator<ComparedRecord, void, undefined> {}
