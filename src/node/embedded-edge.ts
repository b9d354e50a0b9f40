import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Option } from '../config/option.ts';
import { options } from '../config/options.ts';
import { formatAddress, parseAddress } from '../config/parse-address.ts';
import { expectation, parseValue } from '../config/parse-value.ts';
import { Edge } from '../edge/edge.ts';
import { type EdgeOptions, edgeDefaults } from '../edge/edge-options.ts';
import { silentEdgeObserver } from '../edge/observer.ts';
import { MeridianError } from '../model/errors.ts';
import { silentReplicationObserver } from '../replication/observer.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import type { ClientTls } from '../runtime/tls.ts';
import { levelDefaults } from '../store/level/level-options.ts';
import { claimFolder } from './claim-folder.ts';
import { Closing } from './closing.ts';
import { openEdgeStores } from './open-store.ts';
import type { Outside } from './outside.ts';
import { softwareVersion } from './software-version.ts';

export interface EmbeddedEdgeOptions
  extends Partial<
    Pick<
      EdgeOptions,
      'maxStalenessMs' | 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'cacheMemoryBytesMax' | 'cacheDiskBytesMax'
    >
  > {
  /** `host:port`, in the order of preference. */
  readonly upstreams: readonly string[];
  readonly replicate: readonly string[];
  readonly cache?: readonly string[];
  readonly name: string;
  readonly region: string;
  /** What the edge presents to its upstreams, and how its connections are encrypted, as it is now. */
  readonly access: {
    readonly credential: () => string | undefined;
    readonly tls: () => ClientTls | undefined;
  };
  /** Default: a folder of its own among the temporary ones, deleted at the end. */
  readonly data?: string;
}

export interface EmbeddedEdge {
  readonly edge: Edge;
  /** The connections that the edge uses, in the order of preference. */
  readonly upstreams: readonly RemoteUpstream[];
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * An edge without listeners, inside whatever process this is.
 * @throws INVALID_ARGUMENT (an address, a pattern, a folder of another role), UNAVAILABLE (a process has the folder open), DATA_LOSS
 */
export async function openEmbeddedEdge(given: EmbeddedEdgeOptions, outside: Outside): Promise<EmbeddedEdge> {
  const { clock, random, logger } = outside;
  const { upstreams: addresses, replicate, name, region, data, access, ...rest } = given;
  const places = addresses.map((text) => formatAddress(addressOf(text)));
  checkPatterns('replicate', replicate);
  checkPatterns('cache', given.cache ?? []);
  const closing = new Closing(logger);
  return closing.orClose(async () => {
    const folder = data ?? (await temporaryFolder(closing));
    await claimFolder(folder, 'edge');
    const stores = await openEdgeStores(folder, {
      outside,
      closing,
      acceptLoss: false,
      diskReserveBytes: levelDefaults.reserveBytes,
      scrubRateBytes: 0,
    });
    const upstreams = places.map((address) => new RemoteUpstream({ address, clock, pipelined: true, ...access }));
    closing.add('connections', async () => {
      for (const upstream of upstreams) upstream.close();
    });
    const edge = await Edge.open({
      ...edgeDefaults,
      feedValues: { kind: 'inline', bytesMax: 1024 },
      ...rest,
      identity: { name, region },
      version: softwareVersion(),
      clock,
      random,
      observer: silentReplicationObserver,
      edgeObserver: silentEdgeObserver,
      upstreams: upstreams.map((upstream) => ({ name: upstream.address, upstream })),
      ...stores,
      replicate,
    });
    closing.add('edge', () => edge.close());
    return { edge, upstreams, close: () => closing.close() };
  });
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new MeridianError('INVALID_ARGUMENT', `an upstream is host:port, not ${JSON.stringify(text)}`, {
    reason: 'bad-address',
  });
}

/** As the flag of that name has it: what is neither would name nothing, and nothing would be copied or cached. */
function checkPatterns(option: 'replicate' | 'cache', patterns: readonly string[]): void {
  const row: Option = options[option];
  const bad = Array.isArray(patterns) ? patterns.find((text) => parseValue(row, String(text)) === undefined) : patterns;
  if (bad === undefined) return;
  const message = `each of the list ${option} must be ${expectation(row)}; it has ${JSON.stringify(bad)}`;
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-pattern' });
}

async function temporaryFolder(closing: Closing): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-edge-'));
  closing.add('temporary folder', () => rm(folder, { recursive: true, force: true }));
  return folder;
}
