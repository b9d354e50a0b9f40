/**
 * Words that begin with a dash and yet are no flags: a single dash (standard input), and whatever follows `--`. The
 * parser reads positionals a second time and would take them for flags there, so they travel through it behind a
 * character that no argument of a process can hold.
 */
const mark = '\u0000';

/** `--` itself goes: what it says is in the marks. */
export function markDashedWords(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  const before = end === -1 ? words : words.slice(0, end);
  const behind = end === -1 ? [] : words.slice(end + 1);
  return [
    ...before.map((word) => (word === '-' ? mark + word : word)),
    ...behind.map((word) => (word.startsWith('-') ? mark + word : word)),
  ];
}

/** The words as they were given, in whatever was made of them. */
export function unmarkDashedWords<Args>(args: Args): Args {
  return Object.fromEntries(Object.entries(args as object).map(([name, value]) => [name, unmark(value)])) as Args;
}

function unmark(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmark);
  return typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : value;
}
