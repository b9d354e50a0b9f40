import type { Argv } from 'yargs';
import type { Answer } from '../../client/answer.ts';
import { exactJson } from '../../model/json-text.ts';
import { ageText, pastText } from '../answers-age.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { toJsonValue } from '../json-value.ts';
import { printResult } from '../print-result.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';

interface GetWords extends ClientWords, ReadWords {
  readonly namespace: string;
  readonly key: string;
  readonly verbose: boolean;
}

const lineFeed = 0x0a;

export const getCommand: Command<GetWords> = {
  usage: 'get <namespace> <key>',
  describe: 'Print a value, its very bytes (on a terminal with a line end behind); exit code 3 where there is none',
  build: (parser) =>
    withReadOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('key', { type: 'string', demandOption: true })
      .option('verbose', {
        type: 'boolean',
        default: false,
        describe: 'Version, source, proven age, expiry and metadata on standard error',
      })
      .example('$0 get flags beta --verbose', 'the value, and how old it may be')
      .example('$0 get flags beta --max-staleness 0', 'as the origin has it now') as Argv<GetWords>,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const { terminal } = context;
      const options = { ...readOptionsOf(words), type: 'arrayBuffer', signal: terminal.stopped } as const;
      const answer = await cluster.namespace(words.namespace).getWithMetadata(words.key, options);
      if (words.verbose) for (const line of provenance(answer)) terminal.note(line);
      else if (answer.past && !words.json) terminal.note(pastText(answer.staleness));
      if (answer.value === null) return exitCodes.missing;
      const bytes = new Uint8Array(answer.value);
      const { value: _, ...rest } = answer;
      if (words.json) await printResult(words, terminal, { key: words.key, ...toJsonValue(bytes), ...rest }, '');
      else await terminal.write(bytes);
      // Else the prompt would stand behind the value.
      const needsLineEnd = terminal.outputIsScreen && !words.json && bytes.at(-1) !== lineFeed;
      if (needsLineEnd) await terminal.write('\n');
      return exitCodes.done;
    }),
};

function provenance(answer: Answer<unknown, unknown>): string[] {
  const { version, source, responder, past, expiration, metadataText } = answer;
  return [
    `version    ${version ?? '(no value)'}`,
    `source     ${source} at ${responder}`,
    `staleness  ${ageText(answer.staleness)}${past ? ' (past what was asked for)' : ''}`,
    `expires    ${expiration === null ? 'never' : new Date(expiration * 1000).toISOString()}`,
    `metadata   ${metadataText === null ? 'null' : exactJson(metadataText)}`,
  ];
}
