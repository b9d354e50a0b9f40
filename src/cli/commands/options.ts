import type { Argv } from 'yargs';
import { optionsJson } from '../../config/options-json.ts';
import { optionsMarkdown } from '../../config/options-markdown.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';

interface OptionsWords {
  readonly json: boolean;
}

export const optionsCommand: Command<OptionsWords> = {
  usage: 'options',
  describe: 'Print every option of nodes and connection, as tables in Markdown or as JSON',
  build: (parser) =>
    parser.option('json', {
      type: 'boolean',
      default: false,
      describe: 'One JSON object an option of a command: command, flag, variable, value, list, default, required, help',
    }) as Argv<OptionsWords>,
  run: async ({ json }, { terminal }) => {
    await terminal.write(json ? optionsJson() : optionsMarkdown());
    return exitCodes.done;
  },
};
