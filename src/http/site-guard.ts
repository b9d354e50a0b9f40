import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { MeridianError } from '../model/errors.ts';

/**
 * A browser sends a node whatever any site has it send, from where the browser stands: past firewalls, to loopback, with its
 * client certificate. Two things are refused before any surface is asked:
 *
 *     another site's request    Sec-Fetch-Site says so; where a browser does not send it (to plain HTTP on other machines),
 *                               the Origin of what changes something does
 *     another site's name       evil.example, made to mean this node (DNS rebinding): to the browser the node then *is* that
 *                               site, so only the Host tells. It matters where no token is asked for
 *
 * Other programs send neither of the first two, and may use any name: the second is refused to browsers alone.
 */
export class SiteGuard {
  readonly #ownNames: ReadonlySet<string> | undefined;

  /** `ownNames`: the node's own, besides `localhost` and all addresses. Unset = browsers may use any, as tokens are asked for. */
  constructor(ownNames: readonly string[] | undefined) {
    this.#ownNames = ownNames && new Set(ownNames.map((name) => name.toLowerCase()));
  }

  /** @throws PERMISSION_DENIED */
  check({ headers }: Pick<IncomingMessage, 'headers'>): void {
    if (isOfOtherSite(headers)) {
      throw new MeridianError('PERMISSION_DENIED', 'a browser may ask this node for its own page alone', {
        reason: 'other-site',
      });
    }
    if (this.#ownNames === undefined || !isOfBrowser(headers) || isOwnHost(headers.host, this.#ownNames)) return;
    const message = `a node without tokens answers browsers by address alone, such as 127.0.0.1 or localhost, and not as ${headers.host}: give it tokens (--admin-token-file)`;
    throw new MeridianError('PERMISSION_DENIED', message, { reason: 'host-name' });
  }
}

function isOfOtherSite({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  // Believed before the Origin: a proxy may have changed the Host, and no script can set it.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && hostOf(origin) !== host?.toLowerCase();
}

/** As a Host header has it: without the port that is the scheme's own. */
function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined; // `null`, of a page without an origin.
  }
}

/**
 * Scripts can change all of these but the last, which every browser adds and none lets them leave out. Node's own `fetch`
 * adds it too, with a Sec-Fetch-Mode that browsers send together with Sec-Fetch-Site, or not at all.
 */
function isOfBrowser(headers: IncomingHttpHeaders): boolean {
  const { origin, referer, 'sec-fetch-site': site, 'user-agent': agent } = headers;
  if (origin !== undefined || referer !== undefined || site !== undefined) return true;
  if (agent?.startsWith('Mozilla/') === true) return true;
  return headers['accept-language'] !== undefined && headers['sec-fetch-mode'] === undefined;
}

function isOwnHost(host: string | undefined, ownNames: ReadonlySet<string>): boolean {
  if (host === undefined) return true;
  const name = host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0 || ownNames.has(name);
}
