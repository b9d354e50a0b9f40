import type { AnswerSource } from '../../client/answer.ts';
import { AnswersAge, ageText } from '../answers-age.ts';
import type { ComparedRecord } from './compared-record.ts';

/** One of two things that are compared, and what is to be said of it in the end. */
export class ComparedSide {
  readonly what: string;
  /** In the order of their keys' bytes. */
  records: AsyncIterable<ComparedRecord> = none();
  /** Records that cannot be read there. */
  damaged = 0;
  /** Of a namespace. */
  readonly #age = new AnswersAge();
  /** Whose answers these were; none of a file. */
  readonly #sources = new Set<string>();

  constructor(what: string) {
    this.what = what;
  }

  answered(answer: AnswerSource): void {
    this.#sources.add(`${answer.source} at ${answer.responder}`);
    this.#age.heard(answer);
  }

  asJson(): object {
    const damaged = this.damaged === 0 ? {} : { damaged: this.damaged };
    if (this.#sources.size === 0) return { what: this.what, ...damaged };
    const { staleness, past } = this.#age;
    return { what: this.what, sources: [...this.#sources], staleness, past, ...damaged };
  }

  asText(): string {
    const damaged = this.damaged === 0 ? '' : `; ${this.damaged} damaged records are not compared`;
    if (this.#sources.size === 0) return `${this.what}: as it stands there${damaged}`;
    const { staleness } = this.#age;
    const age = staleness === null ? 'of unknown age' : `${ageText(staleness)} old`;
    const past = this.#age.past ? ', which is past what was asked for' : '';
    return `${this.what}: ${age}${past} (${[...this.#sources].join(', ')})${damaged}`;
  }
}

async function* none(): AsyncGenerator<ComparedRecord, void, undefined> {}
