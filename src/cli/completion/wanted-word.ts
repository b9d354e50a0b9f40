import type { Options } from 'yargs';
import type { KnownCommand } from './known-command.ts';

/** What the word is that is being typed. */
export type WantedWord =
  | { readonly kind: 'command'; readonly of: KnownCommand }
  | { readonly kind: 'option'; readonly of: KnownCommand }
  /** The value of an option, or a positional. */
  | { readonly kind: 'value'; readonly name: string; readonly choices: readonly string[] }
  | { readonly kind: 'none' };

export interface ReadLine {
  readonly wanted: WantedWord;
  /** What the words before it say, by option and positional. */
  readonly words: Readonly<Record<string, unknown>>;
}

/** Reads a line that is not finished; its last word, which may be empty, is being typed. */
export function readLine(root: KnownCommand, line: readonly string[]): ReadLine {
  const current = line.at(-1) ?? '';
  const words: Record<string, unknown> = {};
  let known = root;
  let positional = 0;
  let isBehindDashes = false;
  let awaiting: string | undefined;
  for (const word of line.slice(0, -1)) {
    if (awaiting !== undefined && !(word.startsWith('-') && isList(known.options.get(awaiting)))) {
      take(words, known, awaiting, word);
      // Words go on to belong to a list until the next option.
      if (!isList(known.options.get(awaiting))) awaiting = undefined;
    } else if (!isBehindDashes && word.startsWith('-')) {
      awaiting = undefined;
      isBehindDashes = word === '--';
      const [name = '', value] = word.replace(/^--?/, '').split(/=(.*)/s);
      if (value !== undefined) take(words, known, name, value);
      else if (known.options.get(name)?.type === 'boolean') words[name] = true;
      else if (known.options.has(name)) awaiting = name;
    } else {
      const next = known.commands.get(word);
      if (next !== undefined) known = next.known();
      else words[known.positionals[positional++] ?? ''] = word;
    }
  }
  return { wanted: wantedOf(known, { current, awaiting, positional, isBehindDashes }), words };
}

interface Place {
  readonly current: string;
  readonly awaiting: string | undefined;
  readonly positional: number;
  readonly isBehindDashes: boolean;
}

function wantedOf(known: KnownCommand, { current, awaiting, positional, isBehindDashes }: Place): WantedWord {
  const isDashed = current.startsWith('-') && !isBehindDashes;
  const option = awaiting === undefined ? undefined : known.options.get(awaiting);
  if (awaiting !== undefined && !(isDashed && isList(option))) {
    return { kind: 'value', name: awaiting, choices: choicesOf(option) };
  }
  if (isDashed) return { kind: 'option', of: known };
  if (known.commands.size > 0) return { kind: 'command', of: known };
  const name = known.positionals[positional];
  return name === undefined
    ? { kind: 'none' }
    : { kind: 'value', name, choices: choicesOf(known.aboutPositionals.get(name)) };
}

function take(words: Record<string, unknown>, known: KnownCommand, name: string, value: string): void {
  const before = words[name];
  words[name] = known.options.get(name)?.array === true ? [...(Array.isArray(before) ? before : []), value] : value;
}

/** One that takes all words up to the next option. */
function isList(option: Options | undefined): boolean {
  return option?.array === true && option.nargs === undefined;
}

function choicesOf(option: Pick<Options, 'choices'> | undefined): readonly string[] {
  return Array.isArray(option?.choices) ? option.choices.map(String) : [];
}
