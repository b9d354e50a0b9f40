import { booleans } from '../config/parse-value.ts';
import { UsageError } from './usage-error.ts';

/**
 * Reads `--switch=TEXT` again, as variables and files have it: to the parser whatever is not `true` is false, and `--dry-run=1` would delete. `words`
 * are the command line's, `args` what the parser made of them, which is corrected.
 * @throws UsageError where the text is neither true nor false
 */
export function rereadSwitches(args: Record<string, unknown>, words: readonly string[]): void {
  for (const word of flagWords(words)) {
    const [, flag = '', text = ''] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    if (typeof args[flag] !== 'boolean') continue;
    const value = booleans.get(text);
    if (value === undefined) throw new UsageError(`--${flag} must be true or false, or 1 or 0; it is "${text}"`);
    args[flag] = value;
  }
}

/**
 * Of `put NS KEY --if-absent true` the parser takes `true` for the switch's, and what comes by standard input would be
 * the value. @throws UsageError
 */
export function refuseSwallowedValue(args: Readonly<Record<string, unknown>>, words: readonly string[]): void {
  const flags = flagWords(words);
  const at = flags.findIndex((word, index) => isSwitch(args, word) && /^(true|false)$/.test(flags[index + 1] ?? ''));
  if (at < 0) return;
  const [flag, text] = [flags[at], flags[at + 1]];
  throw new UsageError(`${flag} ${text} may mean two things: say ${flag}=${text}, or give the value before the flags`);
}

function isSwitch(args: Readonly<Record<string, unknown>>, word: string): boolean {
  return word.startsWith('--') && typeof args[word.slice(2)] === 'boolean';
}

/** What stands behind `--` is no flag. */
function flagWords(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end < 0 ? words : words.slice(0, end);
}
