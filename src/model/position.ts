declare const brand: unique symbol;

/** 64 random bits as 16 lower-case hex digits, drawn when an origin's store is made. A wiped origin is a new origin. */
export type OriginId = string & { readonly [brand]: 'origin' };

/** The place of a write in its origin's own log. Sequences start at 1; 0 stands before all of them. */
export interface Position {
  readonly origin: OriginId;
  readonly sequence: number;
}

const pattern = /^[0-9a-f]{16}$/;

export function parseOriginId(text: string): OriginId | undefined {
  return pattern.test(text) ? (text as OriginId) : undefined;
}

/** The position of what nobody wrote (a cached absence): every vector covers it. */
export const nowhere: Position = { origin: '0'.repeat(16) as OriginId, sequence: 0 };
