import type { Argv } from 'yargs';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { runAsNode } from '../node-command.ts';
import { readConfig, type Words, withOptions } from '../option-flags.ts';

export const edgeCommand: Command<Words> = {
  usage: 'edge',
  describe: 'Run an edge: the node near its readers, which answers from a copy or a cache',
  build: (parser) =>
    withOptions(parser, 'edge')
      .example('$0 edge --name fra --upstream 10.0.0.1:7100', 'a cache of everything that is asked for')
      .example(
        "$0 edge --upstream 10.0.0.1:7100 --replicate config 'flags/beta/*'",
        'copies of these, a cache of the rest',
      )
      .example("$0 edge --upstream 10.0.0.1:7100 --replicate '*'", 'a copy of everything') as Argv<Words>,
  run: async (words, { terminal }) => {
    const config = await readConfig('edge', words, terminal.environment);
    const { startEdge } = await import('../../node/start-edge.ts');
    await runAsNode((outside) => startEdge(config, outside), { ...config, role: 'edge' }, terminal);
    return exitCodes.done;
  },
};
