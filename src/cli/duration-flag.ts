import { parseDuration } from '../config/parse-duration.ts';
import { UsageError } from './usage-error.ts';

/** Milliseconds. @throws UsageError where the text is no duration */
export function durationOf(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`${flag} must be a duration with its unit, such as 60s; it is "${text}"`);
}
