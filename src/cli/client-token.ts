import { readFile } from 'node:fs/promises';
import type { ClientConfig } from '../config/config.ts';
import { UsageError } from './usage-error.ts';

/** The token that a client command presents; undefined where none was given. @throws UsageError */
export async function readClientToken({
  token,
  tokenFile,
}: Pick<ClientConfig, 'token' | 'tokenFile'>): Promise<string | undefined> {
  if (tokenFile === undefined) return checked(token);
  if (token !== undefined) throw new UsageError('give a token or a --token-file, not both');
  try {
    return checked(await readFile(tokenFile, 'utf8'));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--token-file ${tokenFile}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What no header could carry is refused without being shown. */
function checked(text: string | undefined): string | undefined {
  const token = text?.trim();
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError('a token is visible ASCII characters in one line');
}
