import type { AnswerSource } from '../client/answer.ts';
import type { Terminal } from './terminal.ts';

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

  /** Says on standard error that an answer was past; nothing where none was. */
  tell({ note }: Pick<Terminal, 'note'>, json = false): void {
    if (this.#past) note(json ? JSON.stringify(this.ifPast) : pastText(this.#staleness));
  }
}

/** @param staleness as below */
export function pastText(staleness: number | null): string {
  return `older than what was asked for: ${ageText(staleness)}`;
}

/** @param staleness seconds; null = unknown */
export function ageText(staleness: number | null): string {
  return staleness === null ? 'unknown' : `at most ${staleness.toFixed(3)} s`;
}
