import { stat } from 'node:fs/promises';
import type { Argv } from 'yargs';
import type { BatchMutation } from '../../client/batch-write.ts';
import { valueTooLarge } from '../../client/value-body.ts';
import { parseDuration } from '../../config/parse-duration.ts';
import { exactJson } from '../../model/json-text.ts';
import { limits } from '../../model/limits.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { isStandardInput } from '../descriptor-paths.ts';
import { exitCodes } from '../exit-code.ts';
import { fileBytes } from '../formats/file-bytes.ts';
import { printResult } from '../print-result.ts';
import { UsageError } from '../usage-error.ts';
import { conditionOf, shortOf, type WriteWords, withWriteOptions, writeOptionsOf } from '../write-flags.ts';

interface PutWords extends ClientWords, WriteWords {
  readonly namespace: string;
  readonly key: string;
  readonly value: string | undefined;
  readonly file: string | undefined;
  readonly 'allow-empty': boolean;
  readonly ttl: string | undefined;
  readonly 'expires-at': string | undefined;
  readonly metadata: string | undefined;
}

export const putCommand: Command<PutWords> = {
  usage: 'put <namespace> <key> [value]',
  describe: 'Write a value: from the argument, --file or standard input',
  build: (parser) =>
    withWriteOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('key', { type: 'string', demandOption: true, describe: '1 to 512 bytes of UTF-8' })
      .positional('value', { type: 'string', describe: 'The value; without it, --file or standard input' })
      .options({
        file: { type: 'string', requiresArg: true, describe: 'Take the value from this file' },
        'allow-empty': {
          type: 'boolean',
          default: false,
          describe: 'Take an empty standard input for an empty value; otherwise it is refused',
        },
        ttl: {
          type: 'string',
          requiresArg: true,
          describe: 'Expire after so long, in whole seconds, such as 60s or 24h',
        },
        'expires-at': {
          type: 'string',
          requiresArg: true,
          describe: 'Expire at this time: seconds since 1970, or ISO 8601 such as 2030-01-01T00:00:00Z',
        },
        metadata: { type: 'string', requiresArg: true, describe: 'JSON of at most 1024 bytes, kept beside the value' },
      })
      .example('$0 put flags beta on', 'a value from the argument')
      .example('$0 put assets logo.svg --file logo.svg --ttl 24h', 'a value from a file, for a day')
      .example('$0 put locks job-7 "$HOST" --if-absent', 'only if nobody holds it') as Argv<PutWords>,
  run: async (words, context) => {
    const mutation: BatchMutation = {
      kind: 'put',
      key: words.key,
      ...expiryOf(words),
      ...metadataOf(words),
      ...conditionOf(words),
      value: await readValue(words, context),
    };
    return withCluster(words, context, async (cluster) => {
      const options = { ...writeOptionsOf(words), signal: context.terminal.stopped };
      const { written, durability, origin } = await cluster.namespace(words.namespace).write([mutation], options);
      const { version, expiration } = written[0] ?? { version: '', expiration: null };
      const result = { key: words.key, version, expiration, durability, origin };
      await printResult(words, context.terminal, result, version);
      const short = shortOf(words, durability);
      if (short !== undefined) context.terminal.note(short);
      return exitCodes.done;
    });
  },
};

async function readValue(words: PutWords, { terminal }: CommandContext): Promise<string | Uint8Array> {
  const { value, file } = words;
  if (value !== undefined && file !== undefined)
    throw new UsageError('a value is given twice: as argument and by --file');
  if (value !== undefined) return value;
  const input = file === undefined ? terminal.input : fileBytes(file, terminal.stopped, '--file');
  if (file === undefined && terminal.inputIsKeyboard) {
    throw new UsageError('no value: give it as argument, by --file or on standard input');
  }
  const bytes = await valueIn(input);
  if (bytes.byteLength === 0 && !words['allow-empty']) await refuseEmpty(file);
  return bytes;
}

/**
 * A pipe is empty as well where what should have filled it failed: `cat missing | meridian put …` would overwrite a value.
 * A file is named, and is there. @throws UsageError
 */
async function refuseEmpty(file: string | undefined): Promise<void> {
  if (file !== undefined && !isStandardInput(file) && (await stat(file)).isFile()) return;
  const what = file === undefined || isStandardInput(file) ? 'standard input' : file;
  throw new UsageError(
    `${what} is empty, and nothing is written: for an empty value give "" as argument, or --allow-empty`,
  );
}

/** Not read further than a value may be long: a pipe may have no end. @throws INVALID_ARGUMENT */
async function valueIn(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > limits.valueBytesMax) throw valueTooLarge(bytes);
  }
  return Buffer.concat(chunks);
}

function expiryOf(words: PutWords): { expirationTtl?: number; expiration?: number } {
  const at = words['expires-at'];
  if (words.ttl !== undefined && at !== undefined) throw new UsageError('--ttl and --expires-at exclude each other');
  if (words.ttl !== undefined) return { expirationTtl: ttlSeconds(words.ttl) };
  return at === undefined ? {} : { expiration: timeSeconds(at) };
}

function ttlSeconds(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1000 && ms % 1000 === 0) return ms / 1000;
  throw new UsageError(`--ttl must be whole seconds, 1s or more, such as 60s or 24h; it is "${text}"`);
}

function timeSeconds(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.floor(new Date(text).getTime() / 1000);
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new UsageError(`--expires-at must be seconds since 1970 or an ISO 8601 time; it is "${text}"`);
}

function metadataOf({ metadata }: PutWords): { metadataText?: string } {
  if (metadata === undefined) return {};
  try {
    return JSON.parse(metadata) === null ? {} : { metadataText: exactJson(metadata) };
  } catch (error) {
    throw new UsageError(`--metadata must be JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
