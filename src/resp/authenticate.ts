import type { Call } from '../model/call.ts';
import { isMeridianError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Namespaces } from '../model/namespaces.ts';
import { RespError } from './protocol/reply.ts';

/** What clients send as the user where they were told a password alone. */
const defaultUser = 'default';

/**
 * The namespace that a client chooses by who it says it is; undefined for the user `default` where no namespace is called
 * so, or a database is mapped already. That nobody can tell whether there is such a namespace refuses nobody: its
 * commands say so.
 * @throws RespError WRONGPASS
 */
export async function authenticate(
  user: string,
  { namespaces, isMapped, call }: { readonly namespaces: Namespaces; readonly isMapped: boolean; readonly call: Call },
): Promise<string | undefined> {
  if (user === defaultUser && isMapped) return undefined;
  // What a connection names it keeps: the upstream may not look at it, or not be there.
  if (Buffer.byteLength(user) > limits.titleBytesMax) {
    throw wrongPassword(`titles have at most ${limits.titleBytesMax} bytes`);
  }
  if (user === registryNamespace) throw wrongPassword('the registry is no namespace to read or write');
  try {
    await namespaces.find(user, call);
    return user;
  } catch (error) {
    const isAbsent = isMeridianError(error, 'NOT_FOUND') || isMeridianError(error, 'INVALID_ARGUMENT');
    if (user === defaultUser) return undefined;
    if (isAbsent) throw wrongPassword(`no namespace has the title or id "${user}"`);
    return user;
  }
}

export function wrongPassword(why: string): RespError {
  return new RespError(
    `WRONGPASS invalid username-password pair or user is disabled: ${why}; the user name is that of a namespace`,
    'wrong-password',
  );
}
