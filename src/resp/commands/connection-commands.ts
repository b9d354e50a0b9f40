import type { Call } from '../../model/call.ts';
import { isMeridianError } from '../../model/errors.ts';
import { strictText } from '../../model/text.ts';
import { authenticate, wrongPassword } from '../authenticate.ts';
import type { Client } from '../client.ts';
import { ok, type Reply, RespError, Status } from '../protocol/reply.ts';
import { syntaxError, wrongArity } from '../resp-error.ts';
import { integerOf, wordOf } from './arguments.ts';
import { clientCommand } from './client-command.ts';
import { checkedName } from './client-name.ts';
import type { Args, CommandSpec, Run } from './command.ts';

const pong = new Status('PONG');

/** Milliseconds to find out whether there is a namespace of that name: a client waits for it to connect. */
const findMs = 3000;

function textOf(bytes: Buffer | undefined, what: string): string {
  return strictText(bytes ?? Buffer.alloc(0), what);
}

async function authenticateAs(client: Client, user: string, password: string): Promise<void> {
  const { requestTimeoutMs, databases } = client.parts;
  const isMapped = databases.has(client.database);
  const takeBack = enterAs(client, password);
  try {
    const { upstream: namespaces } = client;
    const find = (call: Call) => authenticate(user, { namespaces, isMapped, call });
    const namespace = await client.within(find, Math.min(findMs, requestTimeoutMs));
    if (namespace !== undefined) client.chooseNamed(namespace);
  } catch (error) {
    takeBack();
    throw error;
  }
}

/** The password is the token. @throws RespError WRONGPASS */
function enterAs(client: Client, password: string): () => void {
  try {
    return client.enter(password);
  } catch (error) {
    if (isMeridianError(error, 'UNAUTHENTICATED')) throw wrongPassword('the password must be a valid token');
    throw error;
  }
}

async function auth(client: Client, args: Args): Promise<Reply> {
  if (args.length > 3) throw syntaxError();
  const user = args.length === 3 ? textOf(args[1], 'the user name') : 'default';
  await authenticateAs(client, user, args.at(-1)?.toString('latin1') ?? '');
  return ok;
}

async function hello(client: Client, args: Args): Promise<Reply> {
  const version = args.length > 1 ? args[1]?.toString('latin1') : String(client.protocol);
  if (!/^\d+$/.test(version ?? '')) {
    throw new RespError('ERR Protocol version is not an integer or out of range', 'bad-protocol');
  }
  const protocol = Number(version);
  if (protocol !== 2 && protocol !== 3) throw new RespError('NOPROTO unsupported protocol version', 'bad-protocol');
  let name: string | undefined;
  let credentials: readonly [user: string, password: string] | undefined;
  for (let at = 2; at < args.length; at++) {
    const word = wordOf(args[at]);
    if (word === 'AUTH' && at + 2 < args.length) {
      credentials = [textOf(args[at + 1], 'the user name'), args[at + 2]?.toString('latin1') ?? ''];
      at += 2;
    } else if (word === 'SETNAME' && at + 1 < args.length) name = checkedName(args[++at]);
    else throw new RespError(`ERR Syntax error in HELLO option '${word.slice(0, 64)}'`, 'syntax');
  }
  if (credentials !== undefined) await authenticateAs(client, ...credentials);
  if (name !== undefined) client.name = name;
  if (protocol === 2) client.stopTracking();
  client.protocol = protocol;
  return new Map<string, Reply>([
    ['server', 'meridian'],
    ['version', client.parts.about.version],
    ['proto', protocol],
    ['id', client.id],
    ['mode', 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ]);
}

function select(client: Client, args: Args): Reply {
  const number = integerOf(args[1]);
  // Clients select the database they are told, mostly 0: whoever has named a namespace by AUTH finds it there.
  const namespace = client.namespaceOf(number);
  if (namespace === undefined) {
    const why = `--redis-database names no namespace for ${number}`;
    throw new RespError(`ERR DB index is out of range: ${why}`, 'no-such-database');
  }
  client.choose(namespace);
  client.database = number;
  return ok;
}

function ping(_client: Client, args: Args): Reply {
  if (args.length > 2) throw wrongArity('ping');
  return args[1] ?? pong;
}

function quit(client: Client): Reply {
  client.channel.quit();
  return ok;
}

const resetDone = new Status('RESET');

function reset(client: Client): Reply {
  client.reset();
  return resetDone;
}

const about = { keys: [0, 0, 0] as const, group: 'connection', flags: ['noscript', 'loading', 'stale', 'fast'] };

function command(
  order: 'read' | 'alone',
  [name, arity, since]: readonly [name: string, arity: number, since: string],
  summary: string,
  run: Run,
): CommandSpec {
  return { ...about, name, arity, since, summary, order, run };
}

export const connectionCommands: readonly CommandSpec[] = [
  command('read', ['ping', -1, '1.0.0'], 'Answers PONG, or what it was told.', ping),
  command('read', ['echo', 2, '1.0.0'], 'Answers what it was told.', (_, args) => args[1] ?? ''),
  command('alone', ['auth', -2, '1.0.0'], 'Chooses a namespace by its title or id, which is the user name.', auth),
  command('alone', ['hello', -1, '6.0.0'], 'Chooses the protocol, and who the client is.', hello),
  command('alone', ['select', 2, '1.0.0'], 'Chooses the namespace that the configuration maps to a number.', select),
  command('alone', ['reset', 1, '6.2.0'], 'Makes the connection a new one.', reset),
  command('alone', ['quit', -1, '1.0.0'], 'Ends the connection.', quit),
  command('alone', ['client', -2, '2.4.0'], 'Names a connection, tells its id, tracks keys.', clientCommand),
];
