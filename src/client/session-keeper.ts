import { MeridianError } from '../model/errors.ts';
import type { GetAnswer, ListAnswer, WriteAnswer } from '../model/key-value.ts';
import { type OriginId, type Position, parseOriginId } from '../model/position.ts';
import {
  emptySession,
  joinSessions,
  type Session,
  sessionAfterAbsence,
  sessionAfterPage,
  sessionAfterRecord,
} from '../model/session.ts';
import { parseStamp, type Stamp } from '../model/stamp.ts';

/**
 * What this client wrote and saw (rule R14). It goes with each request, so that an answer reflects at least that,
 * whichever node gives it: one reads one's own writes, and never an older state after a newer one.
 */
export class SessionKeeper {
  #session: Session = emptySession;
  #namespaces: Session = emptySession;
  readonly #enabled: boolean;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  get current(): Session {
    return this.#session;
  }

  /** What this client did to namespaces: where that is known, names mean what it made them mean. */
  get namespaces(): Session {
    return this.#namespaces;
  }

  sawAnswer(answer: GetAnswer): void {
    if (answer.record !== undefined) this.sawRecord(answer.record.position, answer.record.stamp);
    else this.#keep(sessionAfterAbsence(this.#session, answer.covered));
  }

  sawList(answer: ListAnswer): void {
    this.#keep(sessionAfterPage(this.#session, answer.covered, answer.seen));
  }

  sawRecord(position: Position, stamp: Stamp): void {
    this.#keep(sessionAfterRecord(this.#session, position, stamp));
  }

  wrote(answer: WriteAnswer): void {
    for (const { position, stamp } of answer.written) this.sawRecord(position, stamp);
  }

  /** A namespace was made, renamed, moved or deleted. */
  changed(change: Session): void {
    this.#keep(joinSessions(this.#session, change));
    if (this.#enabled) this.#namespaces = joinSessions(this.#namespaces, change);
  }

  /** A text to hand to another process, which then sees what this one did. */
  export(): string {
    return JSON.stringify({ vector: Object.fromEntries(this.#session.vector), stamp: this.#session.stamp });
  }

  /** Adds what another client's `export` says. @throws INVALID_ARGUMENT where the text is none */
  import(text: string): void {
    const session = parseSession(text);
    if (session === undefined) {
      throw new MeridianError('INVALID_ARGUMENT', 'this is no exported session', { reason: 'bad-session' });
    }
    this.changed(session); // What of it was done to namespaces it does not say.
  }

  /** Forgets. Reads may then show older states than before: the way on when a session can no longer be met. */
  reset(): void {
    this.#session = emptySession;
    this.#namespaces = emptySession;
  }

  #keep(session: Session): void {
    if (this.#enabled) this.#session = session;
  }
}

function parseSession(text: string): Session | undefined {
  const content = parseJson(text);
  if (typeof content !== 'object' || content === null) return undefined;
  const { vector, stamp } = content as { readonly vector?: unknown; readonly stamp?: unknown };
  if (typeof vector !== 'object' || vector === null || typeof stamp !== 'string') return undefined;
  const latest = parseStamp(stamp);
  const entries = Object.entries(vector).map(([origin, sequence]) => [parseOriginId(origin), sequence] as const);
  const sound = entries.every(([origin, n]) => origin !== undefined && Number.isSafeInteger(n) && n >= 0);
  return sound && latest !== undefined
    ? { vector: new Map(entries as Array<[OriginId, number]>), stamp: latest }
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
