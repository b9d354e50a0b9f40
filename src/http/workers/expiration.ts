import type { Expiry } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { Refusal } from './refusal.ts';
import { jsonOf } from './scalar-text.ts';

/** Seconds: the least time to live on the original's surfaces; our own API takes one. */
const secondsMin = 60;

export interface ExpirationText {
  readonly expiration?: string | null | undefined;
  readonly ttl?: string | null | undefined;
}

/** When a put should expire; a ttl wins over a time. @throws Refusal in the original's words */
export function parseExpiration({ expiration, ttl }: ExpirationText, nowMs: number): Expiry | undefined {
  if (ttl !== null && ttl !== undefined) {
    const seconds = wholeNumber(ttl);
    const complaint = `Invalid expiration_ttl of ${ttl}.`;
    if (seconds === undefined || seconds <= 0) {
      throw refusal(`${complaint} Please specify integer greater than 0.`);
    }
    if (seconds < secondsMin) throw refusal(`${complaint} Expiration TTL must be at least ${secondsMin}.`);
    checkLatest(complaint, Math.ceil(nowMs / 1000) + seconds);
    return { kind: 'in', seconds };
  }
  if (expiration === null || expiration === undefined) return undefined;
  const seconds = wholeNumber(expiration);
  const complaint = `Invalid expiration of ${expiration}.`;
  const now = Math.floor(nowMs / 1000);
  if (seconds === undefined || seconds <= now) {
    const since = 'the current number of seconds since the UNIX epoch';
    throw refusal(`${complaint} Please specify integer greater than ${since}.`);
  }
  if (seconds < now + secondsMin) {
    throw refusal(`${complaint} Expiration times must be at least ${secondsMin} seconds in the future.`);
  }
  checkLatest(complaint, seconds);
  return { kind: 'at', seconds };
}

/** What a pair's JSON has as a time, as text: a number, or none where it is null. @throws Refusal for anything else */
export function numberText(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return String(value);
  throw refusal(`Invalid ${field} of ${jsonOf(value)}. Please specify a number.`);
}

/** Checked here too, so that of many pairs the one is named. */
function checkLatest(complaint: string, atSeconds: number): void {
  if (atSeconds <= limits.expirySecondsMax) return;
  throw refusal(`${complaint} Expiration times must be at most ${limits.expirySecondsMax}.`);
}

function refusal(message: string): Refusal {
  return new Refusal(400, message, 10033);
}

/** The integer that a text spells, or undefined. */
export function wholeNumber(text: string): number | undefined {
  const number = /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}
