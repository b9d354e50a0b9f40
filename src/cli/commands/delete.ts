import type { Argv } from 'yargs';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { conditionOf, shortOf, type WriteWords, withWriteOptions, writeOptionsOf } from '../write-flags.ts';

interface DeleteWords extends ClientWords, WriteWords {
  readonly namespace: string;
  readonly key: string;
}

export const deleteCommand: Command<DeleteWords> = {
  usage: 'delete <namespace> <key>',
  describe: 'Delete a key, whether it is there or not; prints the version of the deletion',
  build: (parser) =>
    withWriteOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('key', { type: 'string', demandOption: true })
      .example('$0 delete flags beta', 'the key is gone, everywhere, shortly') as Argv<DeleteWords>,
  run: async (words, context) => {
    const mutation = { kind: 'delete', key: words.key, ...conditionOf(words) } as const;
    return withCluster(words, context, async (cluster) => {
      const options = { ...writeOptionsOf(words), signal: context.terminal.stopped };
      const { written, durability, origin } = await cluster.namespace(words.namespace).write([mutation], options);
      const version = written[0]?.version ?? '';
      const line = words.json ? JSON.stringify({ key: words.key, version, durability, origin }) : version;
      await context.terminal.write(`${line}\n`);
      const short = shortOf(words, durability);
      if (short !== undefined) context.terminal.note(short);
      return exitCodes.done;
    });
  },
};
