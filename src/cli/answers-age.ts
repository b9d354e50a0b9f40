import type { AnswerSource } from '../client/answer.ts';

/** How old all answers of one command can be at most, and whether any of them was past what was asked for. */
export class AnswersAge {
  /** Seconds; null = unknown. */
  #staleness: number | null = 0;
  #past = false;

  heard({ staleness, past }: Pick<AnswerSource, 'staleness' | 'past'>): void {
    this.#staleness = staleness === null || this.#staleness === null ? null : Math.max(this.#staleness, staleness);
    this.#past ||= past;
  }

  get staleness(): number | null {
    return this.#staleness;
  }

  get past(): boolean {
    return this.#past;
  }

  /** Nothing where no answer was past. */
  get ifPast(): { readonly past?: true; readonly staleness?: number | null } {
    return this.#past ? { past: true, staleness: this.#staleness } : {};
  }

  /** What is said of it on standard error; undefined where no answer was past. */
  pastNote(json: boolean): string | undefined {
    if (!this.#past) return undefined;
    return json ? JSON.stringify(this.ifPast) : `older than what was asked for: ${ageText(this.#staleness)}`;
  }
}

/** @param staleness seconds; null = unknown */
export function ageText(staleness: number | null): string {
  return staleness === null ? 'unknown' : `at most ${staleness.toFixed(3)} s`;
}
