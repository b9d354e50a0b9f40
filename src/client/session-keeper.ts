import { MeridianError } from '../model/errors.ts';
import { type LogId, type Position, parseLogId } from '../model/position.ts';
import { emptySession, joinSessions, type Session, sessionAfterAnswer, sessionAfterRecord } from '../model/session.ts';
import { parseStamp, type Stamp } from '../model/stamp.ts';

/**
 * What this client wrote and saw (rule R14). It goes with each request, so that an answer reflects at least that,
 * whichever node gives it: one reads one's own writes, and never an older state after a newer one.
 */
export class SessionKeeper {
  #session: Session = emptySession;
  #namespaces: Session = emptySession;
  readonly #enabled: boolean;
  /** What was taken in last: answers of one message have it in common. */
  #lastAsked: Session | undefined;
  #lastAnswered: Session | undefined;

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

  /** A request that was sent with `asked` was answered. */
  answered(asked: Session, answered: Session): void {
    if (!this.#enabled || (asked === this.#lastAsked && answered === this.#lastAnswered)) return;
    this.#session = sessionAfterAnswer(this.#session, asked, answered);
    this.#lastAsked = asked;
    this.#lastAnswered = answered;
  }

  /** A watch showed a record. */
  sawRecord(position: Position, stamp: Stamp): void {
    if (this.#enabled) this.#session = sessionAfterRecord(this.#session, position, stamp);
  }

  /** A namespace was made, renamed, moved or deleted. */
  changed(change: Session): void {
    if (!this.#enabled) return;
    this.#session = joinSessions(this.#session, change);
    this.#namespaces = joinSessions(this.#namespaces, change);
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
    this.#lastAsked = undefined;
  }
}

function parseSession(text: string): Session | undefined {
  const content = parseJson(text);
  if (typeof content !== 'object' || content === null) return undefined;
  const { vector, stamp } = content as { readonly vector?: unknown; readonly stamp?: unknown };
  if (typeof vector !== 'object' || vector === null || typeof stamp !== 'string') return undefined;
  const latest = parseStamp(stamp);
  const entries = Object.entries(vector).map(([log, sequence]) => [parseLogId(log), sequence] as const);
  const sound = entries.every(([log, n]) => log !== undefined && Number.isSafeInteger(n) && n >= 0);
  return sound && latest !== undefined
    ? { vector: new Map(entries as Array<[LogId, number]>), stamp: latest }
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
