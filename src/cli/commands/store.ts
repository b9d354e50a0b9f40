import type { Argv } from 'yargs';
import { variableOf } from '../../config/option.ts';
import { options } from '../../config/options.ts';
import { resolveConfig } from '../../config/resolve.ts';
import { type Choose, type Command, install } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { type OutputWords, outputFlags, printResult } from '../print-result.ts';
import type { Terminal } from '../terminal.ts';
import { countRecords } from '../transfer/progress.ts';
import { UsageError } from '../usage-error.ts';

interface InitWords extends OutputWords {
  readonly store: string | undefined;
}

export function installStoreCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('store <command>', 'Prepare a database that keeps an origin’s data', (store) => {
    install(store, initCommand, choose);
    install(store, copyCommand, choose);
    return store.demandCommand(1, 'a command is missing; see meridian store --help');
  });
}

const storeFlag = {
  store: {
    type: 'string',
    requiresArg: true,
    describe: `The database, such as postgres://meridian@db/meridian; with a password by ${variableOf(options.store)}`,
  },
} as const;

const initCommand: Command<InitWords> = {
  usage: 'init',
  describe: 'Create the tables of an origin in a database; what is there already stays',
  build: (parser) =>
    parser
      .options({ ...storeFlag, ...outputFlags })
      .example(
        '$0 store init --store postgres://meridian@db/meridian',
        'once, before the origin is started',
      ) as Argv<InitWords>,
  run: async ({ store, ...words }, { terminal, clock }) => {
    const { initStore } = await import('../../node/postgres/init-store.ts');
    const done = await initStore(urlOf(store, terminal), clock);
    const text = `${done.store}: the tables ${done.created ? 'were created' : 'are there already'} in schema ${done.schema}`;
    await printResult(words, terminal, done, text);
    return exitCodes.done;
  },
};

interface CopyWords extends OutputWords {
  readonly from: string;
  readonly to: string | undefined;
}

const copyCommand: Command<CopyWords> = {
  usage: 'copy',
  describe: 'Copy the data of a stopped origin from its folder into a database, versions and positions kept',
  build: (parser) =>
    parser
      .options({
        from: { type: 'string', demandOption: true, requiresArg: true, describe: 'Data folder of the origin' },
        to: { ...storeFlag.store, describe: `${storeFlag.store.describe}; its tables are there, and hold nothing` },
        ...outputFlags,
      })
      .example('$0 store copy --from data/origin --to postgres://meridian@db/meridian', '') as Argv<CopyWords>,
  run: async ({ from, to, ...words }, { terminal, clock, random }) => {
    const { copyStore } = await import('../../node/postgres/copy-store.ts');
    const count = await countRecords(terminal, 'copy');
    const outside = { clock, random };
    const copied = await copyStore({ from, to: urlOf(to, terminal), outside, copied: count.received }).finally(() =>
      count.stop(),
    );
    const records = count.total();
    const text = `${records} records are in ${copied.store}. Start the origin with --store, and never again over ${from}`;
    await printResult(words, terminal, { ...copied, records }, text);
    return exitCodes.done;
  },
};

/** As an origin reads it. @throws UsageError */
function urlOf(flag: string | undefined, { environment }: Pick<Terminal, 'environment'>): string {
  const flags = flag === undefined ? {} : { store: flag };
  const { store } = resolveConfig('origin', { flags, env: environment, file: {} });
  if (store === undefined) throw new UsageError(`--store, or ${variableOf(options.store)}, is missing`);
  return store;
}
