import type { Argv } from 'yargs';
import type { Command } from '../command.ts';

interface DemoWords {
  readonly once: boolean;
}

export const demoCommand: Command<DemoWords> = {
  usage: 'demo',
  describe: 'Run a three-region cluster on this machine, with real data and wide-area distances',
  build: (parser) =>
    parser
      .option('once', {
        type: 'boolean',
        default: false,
        describe: 'End after the tour: exit 0 if all that it claims was seen, 1 otherwise',
      })
      .example('$0 demo', 'stays up until Ctrl-C') as Argv<DemoWords>,
  run: async ({ once }, context) => {
    const { runDemo } = await import('../demo/run-demo.ts');
    return runDemo(once, context);
  },
};
