import type { Argv } from 'yargs';
import type { Command } from '../command.ts';
import { completionScripts, type Shell, shells } from '../completion/scripts.ts';
import { exitCodes } from '../exit-code.ts';

interface CompletionWords {
  readonly shell: Shell;
}

export const completionCommand: Command<CompletionWords> = {
  usage: 'completion <shell>',
  describe: 'Print a script that makes a shell complete commands, options, namespaces and keys',
  build: (parser) =>
    parser
      .positional('shell', { choices: shells, demandOption: true })
      .example('source <($0 completion bash)', 'in ~/.bashrc')
      .example('source <($0 completion zsh)', 'in ~/.zshrc, behind compinit')
      .example('$0 completion fish | source', 'in ~/.config/fish/config.fish') as Argv<CompletionWords>,
  run: async ({ shell }, { terminal }) => {
    await terminal.write(completionScripts[shell]);
    return exitCodes.done;
  },
};
