import { readFile } from 'node:fs/promises';
import type { TlsOptions } from '../client/tls-options.ts';
import type { ClientConfig } from '../config/config.ts';
import { systemFailure } from './system-failure.ts';
import { UsageError } from './usage-error.ts';

/** The token that a client command presents; undefined where none was given. @throws UsageError */
export async function readClientToken({
  token,
  tokenFile,
}: Pick<ClientConfig, 'token' | 'tokenFile'>): Promise<string | undefined> {
  if (tokenFile === undefined) return checked(token);
  if (token !== undefined) throw new UsageError('give a token or a --token-file, not both');
  return checked((await bytesOf('--token-file', tokenFile)).toString());
}

/** What no header could carry is refused without being shown. */
function checked(text: string | undefined): string | undefined {
  const token = text?.trim();
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError('a token is visible ASCII characters in one line');
}

/** How a client command is encrypted; undefined = in the clear. @throws UsageError */
export async function readClientTls({
  tls,
  ...paths
}: Pick<ClientConfig, 'tls' | 'tlsCa' | 'tlsCert' | 'tlsKey'>): Promise<true | TlsOptions | undefined> {
  const given = { ca: paths.tlsCa, cert: paths.tlsCert, key: paths.tlsKey };
  const files = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (files.length === 0) return tls ? true : undefined;
  const read = files.map(async ([name, path]) => [name, await bytesOf(`--tls-${name}`, path)] as const);
  return Object.fromEntries(await Promise.all(read));
}

async function bytesOf(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw systemFailure(`${flag} ${path}`, error);
  }
}
