import type { Argv } from 'yargs';
import { AnswersAge } from '../answers-age.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { printResult } from '../print-result.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import { type ReadingWords, readingFlags, readingOf } from '../reading-flags.ts';
import { keysPatiently } from '../transfer/read-patiently.ts';

interface CountWords extends ClientWords, ReadWords, ReadingWords {
  readonly namespace: string;
  readonly prefix: string;
}

export const countCommand: Command<CountWords> = {
  usage: 'count <namespace> [prefix]',
  describe: 'Print how many keys there are; reads all pages of their list',
  build: (parser) =>
    withReadOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('prefix', { type: 'string', default: '', describe: 'Only keys that start so' })
      .options(readingFlags)
      .example('$0 count flags', 'all keys')
      .example('$0 count flags beta/ --json', 'with the bytes of their values') as Argv<CountWords>,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const { terminal } = context;
      const age = new AnswersAge();
      const onAnswer = age.heard.bind(age);
      const asked = { ...readOptionsOf(words), prefix: words.prefix, onAnswer };
      const reading = readingOf(words, context);
      let [keys, bytes, damaged] = [0, 0, 0];
      for await (const key of keysPatiently(cluster.namespace(words.namespace), reading, asked)) {
        keys++;
        bytes += key.bytes;
        if (key.damaged) damaged++;
      }
      const counted = { keys, bytes, ...(damaged === 0 ? {} : { damaged }), ...age.ifPast };
      await printResult(words, terminal, counted, String(keys));
      if (!words.json) age.tell(terminal);
      if (damaged === 0) return exitCodes.done;
      if (!words.json)
        terminal.note(`of ${damaged} of them the records are damaged: whether they have a value is unknown`);
      return exitCodes.failed;
    }),
};
