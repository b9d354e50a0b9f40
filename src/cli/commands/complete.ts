import type { Argv } from 'yargs';
import type { Choose, Command, CommandContext } from '../command.ts';
import { knownCommand } from '../completion/known-command.ts';
import { isLive, liveValues } from '../completion/live-values.ts';
import { readLine, type WantedWord } from '../completion/wanted-word.ts';
import { exitCodes } from '../exit-code.ts';

interface CompleteWords {
  readonly words: readonly string[];
}

/** Tells a shell's script to complete names of files. */
export const filesMark = ':files';

/** Characters of a description that are shown. */
const describeMax = 70;

interface Suggestion {
  readonly word: string;
  readonly describe?: string | undefined;
}

/**
 * What the scripts of `completion` ask at each Tab: `meridian complete -- get fl`. Prints what the last word may become, one
 * a line, with its description behind a tab. Says nothing where it knows nothing, whatever the reason: the line being typed
 * is not the place for errors.
 */
export function completeCommand(installAll: (parser: Argv, choose: Choose) => void): Command<CompleteWords> {
  return {
    usage: 'complete [words..]',
    describe: false,
    lists: ['words'],
    build: (parser) => parser.positional('words', { type: 'string', array: true, default: [] }) as Argv<CompleteWords>,
    run: async ({ words }, context) => {
      const root = knownCommand((parser) => installAll(parser, () => {}));
      const suggested = await suggestions(readLine(root, words), words.at(-1) ?? '', context).catch(() => []);
      const lines = suggested.filter(({ word }) => isTypable(word)).map(lineOf);
      await context.terminal.write(lines.join(''));
      return exitCodes.done;
    },
  };
}

async function suggestions(
  { wanted, words }: ReturnType<typeof readLine>,
  current: string,
  context: CommandContext,
): Promise<readonly Suggestion[]> {
  if (wanted.kind === 'value' && wanted.choices.length === 0) {
    if (!isLive(wanted.name)) return [{ word: filesMark }];
    return (await liveValues(wanted.name, current, words, context)).map((word) => ({ word }));
  }
  return fixed(wanted).filter(({ word }) => word.startsWith(current));
}

/** What needs no cluster. */
function fixed(wanted: WantedWord): readonly Suggestion[] {
  switch (wanted.kind) {
    case 'command':
      return [...wanted.of.commands].map(([word, { describe }]) => ({ word, describe }));
    case 'option':
      return [
        ...[...wanted.of.options].map(([name, { describe }]) => ({ word: `--${name}`, describe })),
        { word: '--help', describe: 'Show help' },
      ];
    case 'value':
      return wanted.choices.map((word) => ({ word }));
    case 'none':
      return [];
  }
}

/** No line of a shell takes control characters as they are. */
function isTypable(word: string): boolean {
  return !/\p{Cc}/u.test(word);
}

function lineOf({ word, describe = '' }: Suggestion): string {
  const [first = ''] = describe.split(/[.;:[]/);
  const shown = first.length > describeMax ? `${first.slice(0, describeMax)}…` : first.trim();
  return shown === '' ? `${word}\n` : `${word}\t${shown}\n`;
}
