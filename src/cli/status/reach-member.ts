import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { ClientConfig } from '../../config/config.ts';
import type { Address } from '../../config/option.ts';
import { MeridianError } from '../../model/errors.ts';
import { isLoopback } from '../../runtime/is-loopback.ts';
import type { CommandContext } from '../command.ts';

/**
 * Connects to a member where it says that it is reached, as to the node that was named on the command line: with the same token,
 * and where that was over TLS, by the same authorities. The place is the member's own word, so the token goes there in the clear
 * only where it stays on this machine, or where the command line names a node that it goes to over the network in the clear.
 * @throws FAILED_PRECONDITION where the member is not to be asked so
 */
export async function reachMember(
  address: Address,
  config: ClientConfig,
  { connect }: Pick<CommandContext, 'connect'>,
): Promise<ClusterHandle> {
  const { endpoints, token, tokenFile, tls, tlsCa, tlsCert, tlsKey } = config;
  const hasToken = token !== undefined || tokenFile !== undefined;
  const isEncrypted = tls || [tlsCa, tlsCert, tlsKey].some((path) => path !== undefined);
  const staysHere = isLoopback(address.host);
  const wentOut = endpoints.some(({ host }) => !isLoopback(host));
  if (hasToken && !isEncrypted && !staysHere && !wentOut) {
    const message = 'not asked: the token would leave this machine in the clear';
    throw new MeridianError('FAILED_PRECONDITION', message, { reason: 'token-in-clear' });
  }
  return connect({ ...config, endpoints: [address] });
}
