import { hostname } from 'node:os';
import { MeridianError } from '../model/errors.ts';
import type { TraceContext } from '../model/trace.ts';
import { silentLogger } from '../runtime/logger.ts';
import { systemRandom } from '../runtime/random.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { EdgeHandle } from './edge-handle.ts';
import { LocalNode } from './local-node.ts';
import { clientTls, type TlsOptions } from './tls-options.ts';

export interface OpenEdgeOptions {
  /** `host:port` of one or more origins or edges with a copy, best first. */
  readonly upstream: string | readonly string[];
  /** What is copied whole: `title`, `title/prefix*`, or `*` for everything. All else is cached on demand. Default: nothing. */
  readonly replicate?: readonly string[];
  /**
   * What of the rest is cached: as `replicate` has it, or the beginning of titles (`team-*`). Default `*`. All else is
   * asked of the upstream each time.
   */
  readonly cache?: readonly string[];
  /**
   * The folder that copy and cache are kept in, so that they outlive the process; one process has it open at a time.
   * Default: a temporary one, deleted by `close`.
   */
  readonly data?: string;
  /** How the cluster's status calls it. Default: the host's name and the process' id. */
  readonly name?: string;
  readonly region?: string;
  /** Milliseconds: the age that a read accepts which names none. Default 60 000; 0 asks the origin each time. */
  readonly maxStalenessMs?: number;
  /** Milliseconds beyond that for which a value is served while it is loaded again. Default 0. */
  readonly staleWhileRevalidateMs?: number;
  /** Milliseconds beyond that for which a value is served where no upstream answers. Default 24 hours. */
  readonly staleIfErrorMs?: number;
  /** Bytes of records in memory, for the cache and likewise for the copy. Default 256 MiB. */
  readonly cacheMemoryBytes?: number;
  /** Bytes of the cache on disk. Default 4 GiB. */
  readonly cacheDiskBytes?: number;
  /** Milliseconds that a call may take which names no time itself. Default 30 000. */
  readonly timeoutMs?: number;
  /** Whether reads reflect what this handle wrote and saw before. Default true. */
  readonly sessions?: boolean;
  /**
   * The token that the edge presents to its upstreams, or what tells the one of now. It needs the right `replicate` on
   * what is copied and cached, and those of what the application does besides reading.
   */
  readonly token?: string | (() => string);
  /** As `ConnectOptions.tls`, of the connections to the upstreams. */
  readonly tls?: boolean | TlsOptions;
  /** As `ConnectOptions.traceContext`. */
  readonly traceContext?: () => TraceContext | undefined;
}

/**
 * Runs an edge inside this process: the same handle as `connect` gives, reads without a network, and `getSync` besides.
 * It is there at once, also while no upstream is; `ready` waits until it can answer.
 * @throws INVALID_ARGUMENT (an option, a folder of another role), UNAVAILABLE (another process has the folder open), DATA_LOSS
 */
export async function openEdge(options: OpenEdgeOptions): Promise<EdgeHandle> {
  const { upstream, replicate = [], cache = ['*'], data, timeoutMs = 30_000, sessions = true } = options;
  const { name = `${hostname()}-${process.pid}`, region = '' } = options;
  const upstreams = typeof upstream === 'string' ? [upstream] : upstream;
  if (upstreams.length === 0) {
    throw new MeridianError('INVALID_ARGUMENT', 'an edge needs at least one upstream', { reason: 'no-upstream' });
  }
  const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };
  // Loaded here, so that a client of far nodes pays for no store.
  const { openEmbeddedEdge } = await import('../node/embedded-edge.ts');
  const { token } = options;
  const security = clientTls(options.tls);
  const tls = () => security;
  const credential = typeof token === 'function' ? token : () => token;
  const place = data === undefined ? {} : { data };
  const opened = await openEmbeddedEdge(
    { ...boundsOf(options), upstreams, replicate, cache, name, region, access: { credential, tls }, ...place },
    outside,
  );
  const { edge, close: stop } = opened;
  const node = new LocalNode(edge, opened.upstreams);
  const hasCaughtUp = () => edge.hasCaughtUp;
  const { traceContext } = options;
  const around = { clock: systemClock, random: systemRandom, timeoutMs, sessions, traceContext };
  return new EdgeHandle({ node, hasCaughtUp, stop, ...around });
}

/** Those that were given. @throws INVALID_ARGUMENT for one that is no number, or below 0 */
function boundsOf(options: OpenEdgeOptions): Readonly<Record<string, number>> {
  const given = {
    maxStalenessMs: options.maxStalenessMs,
    staleWhileRevalidateMs: options.staleWhileRevalidateMs,
    staleIfErrorMs: options.staleIfErrorMs,
    cacheMemoryBytesMax: options.cacheMemoryBytes,
    cacheDiskBytesMax: options.cacheDiskBytes,
  };
  const bounds: Record<string, number> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(Number.isFinite(value) && value >= 0)) {
      const message = `${name.replace(/BytesMax$/, 'Bytes')} must be 0 or more; it is ${value}`;
      throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-option' });
    }
    bounds[name] = value;
  }
  return bounds;
}
