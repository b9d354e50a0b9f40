import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { MeridianError } from '../model/errors.ts';
import { type ClientTls, type RenewedTls, type ServerTls, secureContextOf } from '../runtime/tls.ts';
import { tlsFault } from '../runtime/tls-fault.ts';
import type { Closing } from './closing.ts';
import type { Outside } from './outside.ts';
import { WatchedFile } from './watched-file.ts';

export interface TlsConfig {
  readonly tls: boolean;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsCa: string | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly certificateRights?: readonly unknown[];
}

/** TLS of one node, in both directions. */
export interface NodeTls {
  /** Of every listener; unset = in the clear. */
  readonly server?: RenewedTls;
  /** Of connections to other nodes, as it is now; undefined = in the clear. */
  readonly client: () => ClientTls | undefined;
  /** When what is used now expires, in milliseconds since 1970: `own`, `ca`, `client-ca`. */
  readonly expiries: () => ReadonlyMap<string, number>;
}

/**
 * Reads the certificates of a node, and follows their files. A certificate and its key are two files, so that for a
 * moment they may not belong together: then what was there before goes on.
 * @throws INVALID_ARGUMENT where a file cannot be read, or does not go with another
 */
export async function openTls(config: TlsConfig, outside: Outside, closing: Closing): Promise<NodeTls> {
  checkTogether(config);
  const logger = outside.logger.of('access');
  const changed = () => rebuild();
  const open = async (what: string, path: string | undefined) => {
    if (path === undefined) return undefined;
    const parse = (bytes: Buffer) => bytes;
    const file = await WatchedFile.open({ ...outside, path, what, parse, changed });
    closing.add(what, async () => file.close());
    return file;
  };
  const files = {
    cert: await open('the TLS certificate', config.tlsCert),
    key: await open('the key of the TLS certificate', config.tlsKey),
    ca: await open('the CA of other nodes', config.tlsCa),
    clientCa: await open('the CA of clients', config.tlsClientCa),
  };
  let now = understood(files);
  const listeners: Array<(renewed: ServerTls) => void> = [];
  const rebuild = () => {
    try {
      now = understood(files);
      const { server: renewed } = now;
      if (renewed !== undefined) for (const run of listeners) run(renewed);
    } catch (error) {
      logger.log('warn', 'certificates do not go together; those before go on', { error: String(error) });
    }
  };
  const { server } = now;
  return {
    ...(server && { server: renewable(() => now.server ?? server, listeners) }),
    client: () => (speaksTls(config) ? now.client : undefined),
    expiries: () => now.expiries,
  };
}

/** A listener may be started hours later, behind a rebuild say: what it begins with is read then. */
function renewable(latest: () => ServerTls, listeners: Array<(renewed: ServerTls) => void>): RenewedTls {
  return {
    get current() {
      return latest();
    },
    onRenewed: (run) => void listeners.push(run),
  };
}

/** Whether connections to others are encrypted: whoever has any certificate wants that. */
export function speaksTls({ tls, tlsCert, tlsCa }: Pick<TlsConfig, 'tls' | 'tlsCert' | 'tlsCa'>): boolean {
  return tls || tlsCert !== undefined || tlsCa !== undefined;
}

interface Files {
  readonly cert: WatchedFile<Buffer> | undefined;
  readonly key: WatchedFile<Buffer> | undefined;
  readonly ca: WatchedFile<Buffer> | undefined;
  readonly clientCa: WatchedFile<Buffer> | undefined;
}

interface Understood {
  readonly server: ServerTls | undefined;
  readonly client: ClientTls;
  readonly expiries: ReadonlyMap<string, number>;
}

function understood(files: Files): Understood {
  const [cert, key, ca, clientCa] = [files.cert, files.key, files.ca, files.clientCa].map((file) => file?.value);
  const own = cert === undefined || key === undefined ? undefined : { cert, key };
  const server = own && { ...own, ...(clientCa === undefined ? {} : { clientCa }) };
  const client: ClientTls = { ...own, ...(ca === undefined ? {} : { ca }) };
  const expiries = new Map<string, number>();
  try {
    if (server !== undefined) createSecureContext(secureContextOf(server));
    createSecureContext(client);
    for (const [use, pem] of [
      ['own', cert],
      ['ca', ca],
      ['client-ca', clientCa],
    ] as const) {
      if (pem !== undefined) expiries.set(use, expiryOf(use, pem));
    }
  } catch (cause) {
    const why = tlsFault({ cert, key, ca, clientCa }) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new MeridianError('INVALID_ARGUMENT', `the certificates of TLS cannot be used: ${why}`, {
      reason: 'bad-certificate',
      cause,
    });
  }
  return { server, client, expiries };
}

const certificatePattern = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g;

/**
 * The first time at which one of these certificates is no longer valid. @throws where one cannot be read, or where there is
 * none: Node.js takes a CA's file for one whatever it says, and then nobody is believed
 */
function expiryOf(use: string, pem: Buffer): number {
  const blocks = pem.toString('latin1').match(certificatePattern);
  if (blocks === null) throw new Error(`what is given as --tls-${use === 'own' ? 'cert' : use} holds no certificate`);
  return Math.min(...blocks.map((block) => Date.parse(new X509Certificate(block).validTo)));
}

function checkTogether({ tlsCert, tlsKey, tlsClientCa, certificateRights = [] }: TlsConfig): void {
  const missing =
    (tlsCert === undefined) !== (tlsKey === undefined)
      ? '--tls-cert and --tls-key are given together'
      : tlsClientCa !== undefined && tlsCert === undefined
        ? '--tls-client-ca needs a --tls-cert'
        : tlsClientCa === undefined && certificateRights.length > 0
          ? '--certificate-rights needs a --tls-client-ca, which vouches for the names'
          : undefined;
  if (missing !== undefined) throw new MeridianError('INVALID_ARGUMENT', missing, { reason: 'bad-option' });
}
