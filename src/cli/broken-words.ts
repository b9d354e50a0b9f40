import { brokenByteAt, describeByte } from '../model/text.ts';
import { UsageError } from './usage-error.ts';

/**
 * Refuses words that are no UTF-8, of which Node has made U+FFFD: two keys would become one. `commandLine` has the
 * process's words as bytes, each with a zero behind it; undefined where the system does not tell them.
 * @throws UsageError naming the word and the byte
 */
export function refuseBrokenWords(words: readonly string[], commandLine: () => Uint8Array | undefined): void {
  // The system is asked only where something may be broken.
  if (!words.some((word) => word.includes('\ufffd'))) return;
  const bytes = commandLine();
  if (bytes === undefined) return;
  const raw = Buffer.from(bytes).toString('latin1').replace(/\0$/, '').split('\0').slice(-words.length);
  for (const [index, word] of raw.entries()) {
    const of = Buffer.from(word, 'latin1');
    const at = brokenByteAt(of);
    if (at === undefined) continue;
    throw new UsageError(`"${words[index]}" is no UTF-8: ${describeByte(of[at], at)}`);
  }
}
