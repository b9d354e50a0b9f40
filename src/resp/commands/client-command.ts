import { limits } from '../../model/limits.ts';
import { strictText } from '../../model/text.ts';
import type { Client } from '../client.ts';
import { ok, type Reply, RespError } from '../protocol/reply.ts';
import { syntaxError, wrongArity } from '../resp-error.ts';
import { Tracking } from '../tracking.ts';
import { wordOf } from './arguments.ts';
import { checkedName } from './client-name.ts';
import type { Args } from './command.ts';

/** Prefixes that one client tracks. */
const prefixesMax = 64;

/** `CLIENT <subcommand> …`. @throws RespError */
export function clientCommand(client: Client, args: Args): Reply | Promise<Reply> {
  const word = wordOf(args[1]);
  const run = subcommands.get(word);
  if (run === undefined) {
    const given = args[1]?.toString('latin1').slice(0, 64) ?? '';
    throw new RespError(`ERR unknown subcommand '${given}'. Try CLIENT HELP.`, 'unknown-subcommand');
  }
  const [least, most] = run.words;
  if (args.length < least || args.length > most) throw wrongArity(`client|${word.toLowerCase()}`);
  return run.run(client, args);
}

interface Subcommand {
  /** Arguments with `CLIENT` and the subcommand. */
  readonly words: readonly [least: number, most: number];
  readonly run: (client: Client, args: Args) => Reply | Promise<Reply>;
}

const subcommands: ReadonlyMap<string, Subcommand> = new Map<string, Subcommand>([
  ['ID', { words: [2, 2], run: (client) => client.id }],
  ['GETNAME', { words: [2, 2], run: ({ name }) => (name === '' ? null : name) }],
  ['SETNAME', { words: [3, 3], run: setName }],
  ['SETINFO', { words: [4, 4], run: setInfo }],
  ['TRACKING', { words: [3, 3 + 2 * prefixesMax + 4], run: tracking }],
  ['HELP', { words: [2, 2], run: () => help }],
]);

const help = [
  'CLIENT <subcommand> [<arg> ...]. Subcommands are:',
  'GETNAME | SETNAME <name> | ID | SETINFO <LIB-NAME|LIB-VER> <text>',
  'TRACKING ON BCAST [PREFIX <prefix> ...] | TRACKING OFF',
];

function setName(client: Client, args: Args): Reply {
  client.name = checkedName(args[2]);
  return ok;
}

/** Libraries tell who they are; nobody here asks. */
function setInfo(_client: Client, args: Args): Reply {
  const option = wordOf(args[2]);
  if (option === 'LIB-NAME' || option === 'LIB-VER') {
    checkedName(args[3]);
    return ok;
  }
  throw new RespError(`ERR Unrecognized option '${args[2]?.toString('latin1').slice(0, 64)}'`, 'syntax');
}

async function tracking(client: Client, args: Args): Promise<Reply> {
  const state = wordOf(args[2]);
  const { isBroadcast, prefixes } = trackingOptions(args);
  if (state === 'OFF') {
    client.stopTracking();
    return ok;
  }
  if (state !== 'ON') throw syntaxError();
  if (client.protocol === 2) {
    throw refused(
      'CLIENT TRACKING needs RESP3 (HELLO 3): its messages are of that protocol, and REDIRECT is not supported',
    );
  }
  if (!isBroadcast) throw refused('CLIENT TRACKING is supported with BCAST alone');
  if (client.tracking !== undefined) {
    throw refused('CLIENT TRACKING is on already: turn it OFF before other prefixes are named');
  }
  const started = new Tracking(client, prefixes);
  await client.within((call) => started.start(call));
  client.tracking = started;
  return ok;
}

function trackingOptions(args: Args): { readonly isBroadcast: boolean; readonly prefixes: readonly string[] } {
  const prefixes: string[] = [];
  let isBroadcast = false;
  for (let at = 3; at < args.length; at++) {
    const word = wordOf(args[at]);
    if (word === 'BCAST') isBroadcast = true;
    else if (word === 'PREFIX' && at + 1 < args.length) prefixes.push(prefixOf(args[++at]));
    else if (['REDIRECT', 'OPTIN', 'OPTOUT', 'NOLOOP'].includes(word)) {
      throw refused(`CLIENT TRACKING does not support ${word}`);
    } else throw syntaxError();
  }
  if (prefixes.length > 0 && !isBroadcast) {
    throw refused('PREFIX option requires BCAST mode to be enabled');
  }
  checkOverlap(prefixes);
  return { isBroadcast, prefixes: prefixes.length === 0 ? [''] : prefixes };
}

/** It is kept for as long as the client tracks. */
function prefixOf(bytes: Buffer = Buffer.alloc(0)): string {
  if (bytes.length <= limits.keyBytesMax) return strictText(bytes, 'a prefix');
  throw refused(`a prefix has at most ${limits.keyBytesMax} bytes, as a key has; this one has ${bytes.length}`);
}

/** A key under two prefixes would be told twice. */
function checkOverlap(prefixes: readonly string[]): void {
  for (const [index, prefix] of prefixes.entries()) {
    const other = prefixes.find((one, at) => at !== index && one.startsWith(prefix));
    if (other === undefined) continue;
    throw refused(
      `Prefix '${prefix}' overlaps with another provided prefix '${other}'. Prefixes for a single client must not overlap.`,
    );
  }
}

function refused(why: string): RespError {
  return new RespError(`ERR ${why}`, 'tracking-refused');
}
