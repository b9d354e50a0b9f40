import yargs, { type Argv } from 'yargs';
import { softwareVersion } from '../node/software-version.ts';
import { installAll } from './all-commands.ts';
import { refuseBrokenWords } from './broken-words.ts';
import type { Choose, CommandContext } from './command.ts';
import { markDashedWords } from './dashed-words.ts';
import { describeFailure, type ExitCode, exitCodes } from './exit-code.ts';
import { isForProgram } from './print-result.ts';
import { refuseSwallowedValue, rereadSwitches } from './switch-words.ts';
import { UsageError } from './usage-error.ts';

type Run = (context: CommandContext) => Promise<ExitCode>;

/** Reads the words of a command line and does what they say. Resolves with the exit code; never rejects. */
export async function runCommandLine(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  const { terminal } = context;
  try {
    refuseBrokenWords(words, () => context.commandLine?.());
    const chosen = await parse(words);
    if (typeof chosen !== 'string') return await chosen(context);
    await terminal.write(`${chosen}\n`);
    return exitCodes.done;
  } catch (error) {
    const { exitCode, line } = describeFailure(error, isForProgram(words));
    if (!(terminal.stopped.aborted && exitCode === exitCodes.stopped)) terminal.note(line);
    return exitCode;
  }
}

/** What is to be run, or a text (help, version) that is to be printed. @throws UsageError */
async function parse(words: readonly string[]): Promise<Run | string> {
  const printed: string[] = [];
  const parser = build((run) => {
    throw new Chosen(run);
  });
  parser.middleware((args) => {
    rereadSwitches(args, words);
    if (args._[0] === 'put' && args['value'] === undefined && args['file'] === undefined) {
      refuseSwallowedValue(args, words);
    }
  });
  try {
    await parser.parseAsync(markDashedWords(words), {}, (_error, _args, output) => {
      if (output !== '') printed.push(output);
    });
  } catch (error) {
    if (error instanceof Chosen) return error.run;
    throw error;
  }
  return printed.length > 0 ? printed.join('\n') : parser.getHelp();
}

/**
 * Thrown out of the parser, and no failure: behind a command's handler it would lay out the command's help, which nobody
 * asked for, at a tenth of what a short command costs.
 */
class Chosen {
  readonly run: Run;

  constructor(run: Run) {
    this.run = run;
  }
}

function build(choose: Choose): Argv {
  const parser = yargs()
    .scriptName('meridian')
    .usage('$0 <command>\n\nA self-hosted, geo-distributed key-value store that says how old its answers are.')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
    })
    .exitProcess(false)
    .wrap(110)
    .strict()
    .recommendCommands()
    .demandCommand(1, 'a command is missing; see meridian --help')
    .fail((message: string | null, error: Error | undefined) => {
      // The parser's own complaints come with a message, a flag without its value with an error beside it.
      if (message === null && error !== undefined) throw error;
      throw new UsageError(oneLine(message ?? 'this command line cannot be read'));
    })
    .version(softwareVersion())
    .help()
    .epilogue(
      'Every option of a node and of the connection is also a variable and a key of the file given by --config.',
    );
  installAll(parser, choose);
  return parser;
}

function oneLine(message: string): string {
  return message.split('\n').filter(Boolean).join(' ');
}
