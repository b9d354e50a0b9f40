import type { Argv } from 'yargs';
import { optionsMarkdown } from '../../config/options-markdown.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';

export const optionsCommand: Command<unknown> = {
  usage: 'options',
  describe: 'Print every option of nodes and connection as a table in Markdown',
  build: (parser: Argv) => parser,
  run: async (_words, { terminal }) => {
    await terminal.write(optionsMarkdown());
    return exitCodes.done;
  },
};
