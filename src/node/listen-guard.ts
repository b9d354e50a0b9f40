import type { OriginConfig } from '../config/config.ts';
import { MeridianError } from '../model/errors.ts';
import { isLoopback } from '../runtime/is-loopback.ts';
import { type AccessConfig, asksForTokens } from './access.ts';

/** What says how a node is protected. */
export interface Protection extends AccessConfig {
  readonly insecure: boolean;
  readonly tlsCert: string | undefined;
  readonly tlsClientCa: string | undefined;
}

/**
 * Refuses listeners that others than this machine reach, unless the node asks who is there (by tokens, or certificates of
 * clients) over TLS, or the operator said in so many words that this is meant. A host name other than localhost counts as
 * reachable, whatever it resolves to.
 * @throws INVALID_ARGUMENT
 */
export function checkListeners(
  listeners: ReadonlyArray<{ readonly flag: string; readonly host: string }>,
  protection: Protection,
): void {
  const { insecure, tlsCert, tlsClientCa } = protection;
  const open = listeners.find(({ host }) => !isLoopback(host));
  if (insecure || open === undefined) return;
  const asksWhoIsThere = asksForTokens(protection) || tlsClientCa !== undefined;
  if (asksWhoIsThere && tlsCert !== undefined) return;
  const lacks = asksWhoIsThere
    ? 'nothing encrypts what is said: anybody on the way could read it, tokens too. Give a --tls-cert'
    : 'nothing asks who is there: anybody could read and write everything. Give an --admin-token-file and a --tls-cert';
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `--${open.flag} ${open.host} can be reached from other machines, and ${lacks}, listen on 127.0.0.1, or say ` +
      '--insecure if the network itself keeps strangers out',
    { reason: 'insecure-listener' },
  );
}

/** The same of all listeners of a node. @throws INVALID_ARGUMENT */
export function checkListenersOf(config: Protection & Pick<OriginConfig, 'listen' | 'http' | 'redis'>): void {
  const { listen, http, redis } = config;
  const redisListener = redis === undefined ? [] : [{ flag: 'redis', ...redis }];
  checkListeners([{ flag: 'listen', ...listen }, { flag: 'http', ...http }, ...redisListener], config);
}
