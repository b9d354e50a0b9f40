declare const member: unique symbol;
declare const log: unique symbol;

/**
 * 64 random bits as 16 lower-case hex digits, drawn when an origin's store is created and kept in it: an origin as the
 * cluster counts it. A wiped origin is a new member, whatever its name.
 */
export type MemberId = string & { readonly [member]: 'member' };

/**
 * 64 random bits as 16 lower-case hex digits: what one member writes during one opening of its store. A member draws a new
 * one each time its store opens, so nothing is ever written twice under one position, whatever image its disk was put back to.
 */
export type LogId = string & { readonly [log]: 'log' };

/** The place of a write in its log. Sequences start at 1; 0 stands before all of them. */
export interface Position {
  readonly log: LogId;
  readonly sequence: number;
}

/** True if it is that very write. */
export function isAt(at: Position, { log, sequence }: Position): boolean {
  return at.log === log && at.sequence === sequence;
}

const pattern = /^[0-9a-f]{16}$/;

export function parseMemberId(text: string): MemberId | undefined {
  return pattern.test(text) ? (text as MemberId) : undefined;
}

export function parseLogId(text: string): LogId | undefined {
  return pattern.test(text) ? (text as LogId) : undefined;
}

/** The position of what nobody wrote (a cached absence): every vector covers it. */
export const nowhere: Position = { log: '0'.repeat(16) as LogId, sequence: 0 };
