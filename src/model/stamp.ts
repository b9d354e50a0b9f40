import { assert } from './assert.ts';
import type { LogId } from './position.ts';

declare const brand: unique symbol;

/**
 * A hybrid logical clock's reading (Kulkarni et al., "Logical Physical Clocks", 2014), and the version that users see:
 * 32 lower-case hex digits, namely wall milliseconds (48 bits), counter (16 bits), log id (64 bits).
 * The order of the strings, `<`, is the order of the stamps; it is total.
 */
export type Stamp = string & { readonly [brand]: 'stamp' };

export interface StampParts {
  readonly wallMs: number;
  readonly counter: number;
  readonly log: LogId;
}

const pattern = /^[0-9a-f]{32}$/;
export const counterMax = 0xffff;
const wallMsMax = 2 ** 48 - 1;

/** Before every stamp: what an absence that nobody wrote carries. It is the identity of the merge rule. */
export const bottomStamp: Stamp = '0'.repeat(32) as Stamp;

/** After every stamp. */
export const topStamp: Stamp = 'f'.repeat(32) as Stamp;

export function makeStamp({ wallMs, counter, log }: StampParts): Stamp {
  // Each write makes a stamp, so a message is only made if it is needed.
  if (!isCount(wallMs, wallMsMax)) assert(false, `stamp's wall time ${wallMs}`);
  if (!isCount(counter, counterMax)) assert(false, `stamp's counter ${counter}`);
  return (wallMs.toString(16).padStart(12, '0') + counter.toString(16).padStart(4, '0') + log) as Stamp;
}

function isCount(number: number, most: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= most;
}

export function stampParts(stamp: Stamp): StampParts {
  return {
    wallMs: stampWallMs(stamp),
    counter: Number.parseInt(stamp.slice(12, 16), 16),
    log: stamp.slice(16) as LogId,
  };
}

/** Milliseconds since 1970 by the clock of the origin that issued it. */
export function stampWallMs(stamp: Stamp): number {
  return Number.parseInt(stamp.slice(0, 12), 16);
}

/** The stamp that the text spells, or undefined if it spells none. */
export function parseStamp(text: string): Stamp | undefined {
  return pattern.test(text) ? (text as Stamp) : undefined;
}

export function laterStamp(a: Stamp, b: Stamp): Stamp {
  return a < b ? b : a;
}
