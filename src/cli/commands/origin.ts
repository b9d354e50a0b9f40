import type { Argv } from 'yargs';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { runAsNode } from '../node-command.ts';
import { readConfig, type Words, withOptions } from '../option-flags.ts';

export const originCommand: Command<Words> = {
  usage: 'origin',
  describe: 'Run an origin: the node that keeps the data and takes the writes',
  build: (parser) =>
    withOptions(parser, 'origin')
      .example('$0 origin --name iad --data ./iad', 'the first node of a cluster')
      .example('$0 origin --name iad --store postgres://meridian@db/meridian', 'over a database instead of a folder')
      .example('$0 origin --config origin.yaml', 'options from a file') as Argv<Words>,
  run: async (words, { terminal }) => {
    const config = await readConfig('origin', words, terminal.environment);
    const { originStarter } = await import('../../node/postgres/origin-starter.ts');
    await runAsNode(originStarter(config), { ...config, role: 'origin' }, terminal);
    return exitCodes.done;
  },
};
