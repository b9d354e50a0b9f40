import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { parseDuration } from '../../config/parse-duration.ts';
import { ipBytes } from '../../runtime/ip-address.ts';
import { makeFolder } from '../../runtime/make-folder.ts';
import { type CertificateRequest, type Issuer, makeCertificate } from '../ca/certificate.ts';
import { type Choose, type Command, type CommandContext, install } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { systemFailure } from '../system-failure.ts';
import { UsageError } from '../usage-error.ts';

interface CaWords {
  readonly dir: string;
  readonly expires: string;
}

interface InitWords extends CaWords {
  readonly name: string;
}

interface IssueWords extends CaWords {
  readonly name: string;
  readonly host: readonly string[];
  readonly out: string | undefined;
}

const loopback = ['localhost', '127.0.0.1', '::1'];
/** Milliseconds: a certificate holds from before now, for machines whose clocks are behind. */
const leewayMs = 60 * 60 * 1000;
const untilMsMax = Date.UTC(9999, 11, 31, 23, 59, 59);

const initCommand: Command<InitWords> = {
  usage: 'init',
  describe: 'Make a CA for development: ca.pem, and ca-key.pem, which whoever has it can pass for any node with',
  build: (parser) =>
    parser.options({
      dir: { type: 'string', requiresArg: true, default: 'ca', describe: 'Folder for its files' },
      name: { type: 'string', requiresArg: true, default: 'Meridian development CA', describe: 'Common name' },
      expires: { type: 'string', requiresArg: true, default: '3650d', describe: 'From now' },
    }) as Argv<InitWords>,
  run: async ({ dir, name, expires }, context) => {
    if (name === '') throw new UsageError('--name must be a text that is not empty');
    const { privateKey, publicKey } = newKey();
    const request = requestOf({ name, publicKey, hosts: [], isCa: true }, expires, context);
    await makeFolder(dir);
    await save(join(dir, 'ca'), makeCertificate(request, { name, key: privateKey }), privateKey, context);
    return exitCodes.done;
  },
};

const issueCommand: Command<IssueWords> = {
  usage: 'issue <name>',
  lists: ['host'],
  describe: 'Issue a certificate with that name, for a node or a client: NAME.pem and NAME-key.pem',
  build: (parser) =>
    parser
      .positional('name', { type: 'string', demandOption: true, describe: 'Common name; a host too, where it is one' })
      .options({
        dir: { type: 'string', requiresArg: true, default: 'ca', describe: 'Folder of the CA' },
        host: {
          type: 'string',
          array: true,
          requiresArg: true,
          default: [],
          describe: 'Host names and IP addresses under which others reach it; loopback always',
        },
        out: { type: 'string', requiresArg: true, describe: 'Folder for the files. Default: the CA’s own' },
        expires: { type: 'string', requiresArg: true, default: '397d', describe: 'From now' },
      })
      .example('$0 ca issue iad --host iad.example.org 10.0.0.7', 'for a node') as unknown as Argv<IssueWords>,
  run: async ({ dir, name, host, out = dir, expires }, context) => {
    if (!/^[\w-][\w.-]*$/.test(name))
      throw new UsageError(`the name becomes a file's: letters, digits, . _ -, no dot first; it is "${name}"`);
    const issuer = await readIssuer(dir);
    const hosts = [...new Set([name, ...host, ...loopback])];
    const wrong = hosts.find((one) => ipBytes(one) === undefined && !/^(\*\.)?[A-Za-z0-9_.-]{1,253}$/.test(one));
    if (wrong !== undefined) throw new UsageError(`--host must be a host name or an IP address; it is "${wrong}"`);
    const { privateKey, publicKey } = newKey();
    const request = requestOf({ name, publicKey, hosts, isCa: false }, expires, context);
    await makeFolder(out);
    await save(join(out, name), makeCertificate(request, issuer), privateKey, context);
    return exitCodes.done;
  },
};

/** `ca init|issue`. */
export function installCaCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('ca', 'A certification authority for development', (group) =>
    install(install(group, initCommand, choose), issueCommand, choose).demandCommand(
      1,
      'ca needs a command: init or issue',
    ),
  );
}

function newKey(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function requestOf(
  of: Pick<CertificateRequest, 'name' | 'publicKey' | 'hosts' | 'isCa'>,
  expires: string,
  { clock }: CommandContext,
): CertificateRequest {
  const lifeMs = parseDuration(expires);
  if (lifeMs === undefined || lifeMs === 0) {
    throw new UsageError(`--expires must be a duration with its unit, such as 90d; it is "${expires}"`);
  }
  const nowMs = clock.wallMs();
  if (nowMs + lifeMs > untilMsMax) {
    throw new UsageError(
      `--expires must end before the year 10000, as a certificate's years have four digits; it is "${expires}"`,
    );
  }
  return { ...of, fromMs: nowMs - leewayMs, untilMs: nowMs + lifeMs, serial: randomBytes(16) };
}

async function readIssuer(dir: string): Promise<Issuer> {
  try {
    const certificate = new X509Certificate(await readFile(join(dir, 'ca.pem')));
    // As it stands there: the text of `subject` has commas and the like escaped, and would be another name.
    const { CN: name, ...others } = certificate.toLegacyObject().subject;
    if (typeof name !== 'string' || Object.keys(others).length > 0)
      throw new Error(`ca.pem is of another form: ${certificate.subject}`);
    return { name, key: createPrivateKey(await readFile(join(dir, 'ca-key.pem'))) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${dir} holds no CA of meridian ca init: ${why}`);
  }
}

/** Overwrites nothing: a CA that is gone takes with it whatever trusts it. */
async function save(path: string, certificate: string, key: KeyObject, { terminal }: CommandContext): Promise<void> {
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  try {
    await writeFile(`${path}-key.pem`, pem, { mode: 0o600, flag: 'wx' });
    await writeFile(`${path}.pem`, certificate, { flag: 'wx' });
  } catch (error) {
    throw systemFailure('nothing is overwritten', error);
  }
  await terminal.write(`${path}.pem\n${path}-key.pem\n`);
}
