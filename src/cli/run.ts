import yargs, { type Argv } from 'yargs';
import { softwareVersion } from '../node/software-version.ts';
import { refuseBrokenWords } from './broken-words.ts';
import { type Choose, type CommandContext, install } from './command.ts';
import { installBackupCommands } from './commands/backup.ts';
import { benchCommand } from './commands/bench.ts';
import { installCaCommands } from './commands/ca.ts';
import { checkCommand } from './commands/check.ts';
import { copyCommand, moveCommand } from './commands/copy.ts';
import { countCommand } from './commands/count.ts';
import { deleteCommand } from './commands/delete.ts';
import { demoCommand } from './commands/demo.ts';
import { diffCommand } from './commands/diff.ts';
import { drainCommand } from './commands/drain.ts';
import { edgeCommand } from './commands/edge.ts';
import { exportCommand } from './commands/export.ts';
import { getCommand } from './commands/get.ts';
import { importCommand } from './commands/import.ts';
import { listCommand } from './commands/list.ts';
import { installMemberCommands } from './commands/member.ts';
import { installNamespaceCommands } from './commands/namespace.ts';
import { optionsCommand } from './commands/options.ts';
import { originCommand } from './commands/origin.ts';
import { putCommand } from './commands/put.ts';
import { restoreCommand } from './commands/restore.ts';
import { statusCommand } from './commands/status.ts';
import { installStoreCommands } from './commands/store.ts';
import { installTokenCommands } from './commands/token.ts';
import { topCommand } from './commands/top.ts';
import { watchCommand } from './commands/watch.ts';
import { markDashedWords } from './dashed-words.ts';
import { describeFailure, type ExitCode, exitCodes } from './exit-code.ts';
import { isForProgram } from './print-result.ts';
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
      throw error ?? new UsageError(oneLine(message ?? 'this command line cannot be read'));
    })
    .version(softwareVersion())
    .help()
    .epilogue(
      'Every option of a node and of the connection is also a variable and a key of the file given by --config.',
    );
  installAll(parser, choose);
  return parser;
}

function installAll(parser: Argv, choose: Choose): void {
  install(parser, originCommand, choose);
  install(parser, edgeCommand, choose);
  installNamespaceCommands(parser, choose);
  install(parser, putCommand, choose);
  install(parser, getCommand, choose);
  install(parser, deleteCommand, choose);
  install(parser, listCommand, choose);
  install(parser, countCommand, choose);
  install(parser, copyCommand, choose);
  install(parser, moveCommand, choose);
  install(parser, diffCommand, choose);
  install(parser, watchCommand, choose);
  install(parser, importCommand, choose);
  install(parser, exportCommand, choose);
  installBackupCommands(parser, choose);
  install(parser, restoreCommand, choose);
  install(parser, statusCommand, choose);
  install(parser, topCommand, choose);
  installMemberCommands(parser, choose);
  install(parser, drainCommand, choose);
  installTokenCommands(parser, choose);
  installCaCommands(parser, choose);
  installStoreCommands(parser, choose);
  install(parser, checkCommand, choose);
  install(parser, demoCommand, choose);
  install(parser, benchCommand, choose);
  install(parser, optionsCommand, choose);
}

function oneLine(message: string): string {
  return message.split('\n').filter(Boolean).join(' ');
}
