import type { Argv } from 'yargs';
import type { ClusterHandle } from '../client/cluster-handle.ts';
import type { ClientConfig } from '../config/config.ts';
import type { Option } from '../config/option.ts';
import { options } from '../config/options.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { unmarkDashedWords } from './dashed-words.ts';
import type { ExitCode } from './exit-code.ts';
import type { Words } from './option-flags.ts';
import { type OutputWords, withOutputForm } from './print-result.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** What a command works with. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  /** Connects as the client options say. Whoever connects closes. */
  connect(config: ClientConfig): Promise<ClusterHandle>;
  /** The process's words as bytes, each with a zero behind it; undefined where the system does not tell them. */
  commandLine?(): Uint8Array | undefined;
}

/** One command: how it reads its words, and what it does. */
export interface Command<Args> {
  /** As yargs takes it: name and positionals. */
  readonly usage: string;
  /** One line; false = hidden from the help. */
  readonly describe: string | false;
  /** Its own flags that may be given several times, beside those of the option table. */
  readonly lists?: readonly string[];
  /** Its --output is a file, and no form of what it prints. */
  readonly outputIsFile?: true;
  readonly build: (parser: Argv) => Argv<Args>;
  readonly run: (args: Args, context: CommandContext) => Promise<ExitCode>;
}

/** Remembers what was chosen, so that nothing runs inside the parser. */
export type Choose = (run: (context: CommandContext) => Promise<ExitCode>) => void;

/** Adds the command to a parser. */
export function install<Args>(parser: Argv, command: Command<Args>, choose: Choose): Argv {
  // Its types have one form for a text and another for false.
  return parser.command<Args>(command.usage, command.describe as string, command.build, (args) =>
    choose(async (context) => {
      refuseRepeated(args as Words, command.lists);
      const words = unmarkDashedWords(args as Args);
      return command.run(command.outputIsFile ? words : withOutputForm(words as Args & Partial<OutputWords>), context);
    }),
  );
}

/** The parser makes a list of a flag that is given twice, which no command expects of one that takes one word. */
function refuseRepeated(words: Words, own: readonly string[] = []): void {
  const ofTable = Object.values<Option>(options).flatMap(({ list, flag }) => (list ? [flag] : []));
  const lists: readonly string[] = [...ofTable, ...own];
  for (const [flag, value] of Object.entries(words)) {
    if (!Array.isArray(value) || flag === '_' || lists.includes(flag)) continue;
    throw new UsageError(`--${flag} may be given only once`);
  }
}
