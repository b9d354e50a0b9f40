import { BlockList, isIP } from 'node:net';
import { MeridianError } from '../model/errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Refuses listeners that others than this machine reach, unless the node asks who is there, or the operator said in so
 * many words that this is meant. A host name other than localhost counts as reachable, whatever it resolves to.
 * @throws INVALID_ARGUMENT
 */
export function checkListeners(
  listeners: ReadonlyArray<{ readonly flag: string; readonly host: string }>,
  isMeant: boolean,
): void {
  if (isMeant) return;
  const open = listeners.find(({ host }) => !isLoopback(host));
  if (open === undefined) return;
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `--${open.flag} ${open.host} can be reached from other machines, and nothing asks who is there: anybody could read ` +
      'and write everything. Give an --admin-token-file, listen on 127.0.0.1, or say --insecure if the network itself ' +
      'keeps strangers out',
    { reason: 'insecure-listener' },
  );
}

function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host === 'localhost';
  return loopback.check(host, version === 6 ? 'ipv6' : 'ipv4');
}
