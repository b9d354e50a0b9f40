import type { Argv } from 'yargs';
import { parseDuration } from '../../config/parse-duration.ts';
import { parseSize } from '../../config/parse-size.ts';
import { type IssuedToken, type Right, rights, type TokenInfo, type TokenLimits } from '../../model/token.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import { type Choose, type Command, type CommandContext, install } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { printAll, printResult } from '../print-result.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';

interface CreateWords extends ClientWords {
  readonly name: string;
  readonly namespace: string;
  readonly prefix: string;
  readonly rights: string;
  readonly expires?: string;
  readonly 'reads-per-second'?: string;
  readonly 'writes-per-second'?: string;
  readonly 'bytes-per-second'?: string;
  readonly 'streams-max'?: string;
  readonly 'connections-max'?: string;
}

interface NameWords extends ClientWords {
  readonly name: string;
}

interface RotateWords extends NameWords {
  readonly grace: string;
}

const createCommand: Command<CreateWords> = {
  usage: 'create',
  describe: 'Make a token and print it, this one time: nobody keeps it',
  build: (parser) =>
    withClientOptions(parser)
      .options({
        name: { type: 'string', requiresArg: true, demandOption: true, describe: 'What it is for; in lists and logs' },
        namespace: {
          type: 'string',
          requiresArg: true,
          default: '*',
          describe: "A title, the beginning of titles with a star ('team-*'), an id, or '*' for all",
        },
        prefix: { type: 'string', requiresArg: true, default: '', describe: 'Only keys that start with it' },
        rights: {
          type: 'string',
          requiresArg: true,
          default: 'read,list',
          describe: `Of ${rights.join(', ')}, by commas. An edge's own token needs replicate, an origin's replicate and admin`,
        },
        expires: { type: 'string', requiresArg: true, describe: 'From now, such as 30d. Default: never' },
        'reads-per-second': { type: 'string', requiresArg: true, describe: 'Gets and lists, at each node' },
        'writes-per-second': { type: 'string', requiresArg: true, describe: 'Mutations, at each node' },
        'bytes-per-second': { type: 'string', requiresArg: true, describe: 'Of values, at each node, such as 10MiB' },
        'streams-max': { type: 'string', requiresArg: true, describe: 'Watches and feeds at once, at each node' },
        'connections-max': { type: 'string', requiresArg: true, describe: 'Connections at once, to each node' },
      })
      .example("$0 token create --name ci --namespace 'team-*' --rights read,write --expires 30d", 'for a pipeline')
      .example(
        '$0 token create --name fra --rights replicate',
        'for an edge, in its --token-file',
      ) as Argv<CreateWords>,
  run: (words, context) => {
    const { name, namespace, prefix, expires } = words;
    const expiresMs = expires === undefined ? undefined : durationOf('expires', expires);
    const options = {
      ...{ name, namespace, prefix, rights: rightsOf(words.rights) },
      ...limitsOf(words),
      ...(expiresMs === undefined ? {} : { expiresIn: expiresMs / 1000 }),
      signal: context.terminal.stopped,
    };
    return withCluster(words, context, async ({ tokens }) => printIssued(await tokens.create(options), words, context));
  },
};

const listCommand: Command<ClientWords> = {
  usage: 'list',
  describe: 'Print all tokens, but not their texts',
  build: withClientOptions,
  run: (words, context) =>
    withCluster(words, context, async ({ tokens }) => {
      const all = await tokens.list({ signal: context.terminal.stopped });
      const now = context.clock.wallMs();
      const headings = ['name', 'id', 'namespace', 'prefix', 'rights', 'expires'];
      const rows = () => all.map((token) => row(token, now));
      await printAll(words, context.terminal, all, () => table(headings, rows()));
      return exitCodes.done;
    }),
};

const rotateCommand: Command<RotateWords> = {
  usage: 'rotate <name>',
  describe: 'Make another text for a token, with the same scope and length of life, and print it this one time',
  build: (parser) =>
    withClientOptions(parser)
      .positional('name', { type: 'string', demandOption: true, describe: 'Name or id' })
      .option('grace', {
        type: 'string',
        requiresArg: true,
        default: '0s',
        describe: 'How long the old text goes on to work, such as 10m',
      }) as Argv<RotateWords>,
  run: (words, context) => {
    const options = { grace: durationOf('grace', words.grace) / 1000, signal: context.terminal.stopped };
    return withCluster(words, context, async ({ tokens }) =>
      printIssued(await tokens.rotate(words.name, options), words, context),
    );
  },
};

const revokeCommand: Command<NameWords> = {
  usage: 'revoke <name>',
  describe: 'End a token: every node refuses it as soon as it hears of that, and ends its watches',
  build: (parser) =>
    withClientOptions(parser).positional('name', {
      type: 'string',
      demandOption: true,
      describe: 'Name, which revokes all of that name, or id',
    }) as Argv<NameWords>,
  run: (words, context) =>
    withCluster(words, context, async ({ tokens }) => {
      const revoked = await tokens.revoke(words.name, { signal: context.terminal.stopped });
      const text = () => revoked.map(({ name, id }) => `${name} (${id}) is revoked\n`).join('');
      await printAll(words, context.terminal, revoked, text);
      return exitCodes.done;
    }),
};

/** `token create|list|rotate|revoke`. */
export function installTokenCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('token', 'Make, list, rotate and revoke tokens', (group) =>
    install(
      install(install(install(group, createCommand, choose), listCommand, choose), rotateCommand, choose),
      revokeCommand,
      choose,
    ).demandCommand(1, 'token needs a command: create, list, rotate or revoke'),
  );
}

/** The text alone on standard output, so that a script can take it. */
async function printIssued(
  { info, text }: IssuedToken,
  words: ClientWords,
  { terminal }: CommandContext,
): Promise<ExitCode> {
  await printResult(words, terminal, { ...info, token: text }, text);
  if (!words.json) terminal.note(`token ${info.name} (${info.id}); it is shown this once`);
  return exitCodes.done;
}

function row({ name, id, namespace, prefix, rights: its, expiresMs }: TokenInfo, nowMs: number): string[] {
  const end = expiresMs === undefined ? 'never' : new Date(expiresMs).toISOString();
  const state = expiresMs !== undefined && expiresMs <= nowMs ? `${end} (expired)` : end;
  return [name, id, namespace, prefix === '' ? '(all)' : prefix, its.join(','), state];
}

function rightsOf(text: string): readonly Right[] {
  return text.split(',').map((part) => {
    const right = rights.find((known) => known === part.trim());
    if (right === undefined) throw new UsageError(`--rights are of ${rights.join(', ')}; "${part.trim()}" is none`);
    return right;
  });
}

function limitsOf(words: CreateWords): { readonly limits?: TokenLimits } {
  const limits = {
    ...limitOf('readsPerSecond', 'reads-per-second', words),
    ...limitOf('writesPerSecond', 'writes-per-second', words),
    ...limitOf('bytesPerSecond', 'bytes-per-second', words),
    ...limitOf('streamsMax', 'streams-max', words),
    ...limitOf('connectionsMax', 'connections-max', words),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

type LimitFlag = 'reads-per-second' | 'writes-per-second' | 'bytes-per-second' | 'streams-max' | 'connections-max';

function limitOf(field: keyof TokenLimits, flag: LimitFlag, words: CreateWords): TokenLimits {
  const text = words[flag];
  if (text === undefined) return {};
  const value = flag === 'bytes-per-second' ? parseSize(text) : /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (value !== undefined && value >= 1) return { [field]: value };
  throw new UsageError(`--${flag} must be a whole number, 1 or more; it is "${text}"`);
}

function durationOf(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`--${flag} must be a duration with its unit, such as 10m or 30d; it is "${text}"`);
}
