import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Argv } from 'yargs';
import type { Entry } from '../../client/listing.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { type FileFormat, fileFormats, formatOf } from '../formats/file-format.ts';
import { writeRecords } from '../formats/write-records.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface ExportWords extends ClientWords, ReadWords {
  readonly namespace: string;
  readonly prefix: string;
  readonly format: FileFormat | undefined;
  readonly output: string | undefined;
}

export const exportCommand: Command<ExportWords> = {
  usage: 'export <namespace>',
  describe: 'Print all records with values, metadata and expiry, as import reads them again',
  build: (parser) =>
    withReadOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .options({
        prefix: { type: 'string', default: '', describe: 'Only keys that start so' },
        format: {
          choices: fileFormats,
          requiresArg: true,
          describe: 'Default: as the name of --output ends, else ndjson; workers-kv: its bulk JSON array',
        },
        output: { type: 'string', requiresArg: true, describe: 'Write to this file; default: standard output' },
      })
      .example('$0 export flags > flags.ndjson', 'one record a line')
      .example('$0 export flags --output flags.json', 'for wrangler kv bulk put') as Argv<ExportWords>,
  run: async (words, context) => {
    const { terminal } = context;
    const format = words.output === undefined ? (words.format ?? 'ndjson') : formatOf(words.format, words.output);
    return withCluster(words, context, async (cluster) => {
      const options = { ...readOptionsOf(words), prefix: words.prefix, signal: terminal.stopped };
      const count = { records: 0 };
      const entries = counted(cluster.namespace(words.namespace).entries(options), count);
      const texts = writeRecords(format, entries);
      if (words.output === undefined) for await (const text of texts) await terminal.write(text);
      else await writeFile(words.output, texts);
      tell(terminal, words, count.records);
      return exitCodes.done;
    });
  },
};

/** On standard error: standard output may be the export itself. */
function tell(terminal: Terminal, { json, output }: ExportWords, records: number): void {
  if (json) terminal.note(JSON.stringify({ records }));
  else if (output !== undefined || terminal.interactive) terminal.note(`${records} records exported`);
}

async function* counted(
  entries: AsyncIterable<Entry<unknown>>,
  count: { records: number },
): AsyncGenerator<Entry<unknown>, void, undefined> {
  for await (const entry of entries) {
    count.records++;
    yield entry;
  }
}

async function writeFile(path: string, texts: AsyncIterable<string>): Promise<void> {
  const file = createWriteStream(path);
  const closed = finished(file).catch((error: Error) => {
    throw new UsageError(`--output cannot be written: ${error.message}`, error);
  });
  // Awaited below; a failure meanwhile must not count as unhandled.
  closed.catch(() => {});
  try {
    for await (const text of texts) {
      if (file.destroyed) break;
      if (!file.write(text))
        await Promise.race([new Promise<void>((resolve) => file.once('drain', () => resolve())), closed]);
    }
  } finally {
    file.end();
  }
  await closed;
}
