import { readFile } from 'node:fs/promises';
import { isMeridianError } from '../../model/errors.ts';
import { textOfUtf8 } from '../../model/text.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import { shownKey } from '../formats/shown-key.ts';
import type { UnreadRecord } from '../formats/unread-record.ts';
import { shownUrl } from '../shown-text.ts';
import { systemFailure } from '../system-failure.ts';
import { UsageError } from '../usage-error.ts';
import type { Certificates, EtcdClient, EtcdKeyValue } from './etcd-client.ts';

export interface EtcdSourceOptions {
  /** `etcd://[user:password@]host[:port][/prefix]`; `etcds://` with TLS. */
  readonly url: string;
  /** Certificates are named by the variables of etcdctl. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Of one answer of etcd. Default: 64 MiB. */
  readonly pageBytesMax?: number;
}

/** Keys of a page: fewer where values are large, since a page is held whole. */
const pageKeys = { first: 64, least: 1, most: 1000 } as const;
const pageBytes = { small: 512 * 1024, large: 4 * 1024 * 1024 } as const;
/** Leases whose end is remembered. */
const leasesMax = 10_000;

/** @throws UsageError before anything is connected */
export function checkEtcdUrl(url: string): void {
  const parts = /^etcds?:\/\/[^/?#]+(\/[^?#]*)?$/.exec(url);
  // What reads a URL makes /b of /a/../b, which is another prefix.
  const prefix = decoded(parts?.[1] ?? '');
  const { hostname, pathname } = parts !== null && URL.canParse(url) ? new URL(url) : { hostname: '', pathname: '' };
  if (hostname !== '' && prefix !== undefined && prefix === decoded(pathname)) return;
  throw new UsageError(
    `${shownUrl(url)} must read etcd://[user:password@]host[:port][/prefix], or etcds:// with TLS; the prefix percent-encoded`,
  );
}

/** Undefined where it is not percent-encoded. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/**
 * The keys of an etcd that runs, as they were at one revision, page after page; of a prefix where the path names one. The
 * end of a key's lease becomes its expiry. @throws UNAVAILABLE; FAILED_PRECONDITION with what etcd refuses
 */
export async function* readEtcd<Unread>(
  options: EtcdSourceOptions & { readonly unread: UnreadRecord<Unread> },
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const { EtcdClient, etcdTooMuch } = await import('./etcd-client.ts');
  const url = new URL(options.url);
  const prefix = Buffer.from(decodeURIComponent(url.pathname.slice(1)));
  const client = await EtcdClient.open(url, await filesOf(options.environment, url.protocol), options);
  const leases = new LeaseEnds(client, options.clock);
  try {
    let key: Buffer = prefix.length === 0 ? Buffer.alloc(1) : prefix;
    let limit: number = pageKeys.first;
    for (let revision = '0'; ; ) {
      const page = await client.range({ key, rangeEnd: behind(prefix), limit, revision }).catch((error: unknown) => {
        if (limit > pageKeys.least && isMeridianError(error) && error.details.reason === etcdTooMuch) return undefined;
        throw error;
      });
      if (page === undefined) {
        limit = fewer(limit);
        continue;
      }
      for (const pair of page.kvs) yield await recordOf(pair, leases, options.unread);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return;
      // Later pages are of the same moment.
      revision = page.revision;
      key = Buffer.concat([last.key, Buffer.alloc(1)]);
      limit = nextLimit(limit, page.bytes);
    }
  } finally {
    client.close();
  }
}

/** The end of a range of keys that start so; a zero byte is the end of all. */
function behind(prefix: Buffer): Buffer {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] ?? 0;
    if (last < 0xff) return Buffer.concat([prefix.subarray(0, length - 1), Buffer.from([last + 1])]);
  }
  return Buffer.alloc(1);
}

function fewer(limit: number): number {
  return Math.max(pageKeys.least, Math.floor(limit / 4));
}

function nextLimit(limit: number, bytes: number): number {
  if (bytes > pageBytes.large) return fewer(limit);
  return bytes < pageBytes.small ? Math.min(pageKeys.most, limit * 2) : limit;
}

async function recordOf<Unread>(
  { key, value, lease }: EtcdKeyValue,
  leases: LeaseEnds,
  unread: UnreadRecord<Unread>,
): Promise<ImportRecord | Unread> {
  const text = textOfUtf8(key);
  if (text === undefined) {
    return unread(new UsageError(`the key ${shownKey(key)} is no UTF-8`), key);
  }
  const expiration = lease === '0' ? undefined : await leases.endOf(lease);
  return { key: text, value, ...(expiration === undefined ? {} : { expiration }) };
}

/** When leases end, each asked for once. */
class LeaseEnds {
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #ends = new Map<string, number>();

  constructor(client: EtcdClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Seconds since 1970, never one too early. A lease that has ended meanwhile did so by now. */
  async endOf(lease: string): Promise<number> {
    const known = this.#ends.get(lease);
    if (known !== undefined) return known;
    const seconds = await this.#client.leaseSeconds(lease);
    const nowSeconds = this.#clock.wallMs() / 1000;
    const end = seconds < 0 ? Math.floor(nowSeconds) : Math.ceil(nowSeconds + seconds);
    if (this.#ends.size === leasesMax) this.#ends.clear();
    this.#ends.set(lease, end);
    return end;
  }
}

/** As etcdctl takes them. Undefined = in the clear. */
async function filesOf(
  environment: EtcdSourceOptions['environment'],
  protocol: string,
): Promise<Certificates | undefined> {
  if (protocol === 'etcd:') return undefined;
  const variables = { ca: 'ETCDCTL_CACERT', cert: 'ETCDCTL_CERT', key: 'ETCDCTL_KEY' };
  const read = Object.entries(variables).map(async ([name, variable]) => {
    const path = environment[variable];
    if (path === undefined || path === '') return [];
    const bytes = await readFile(path).catch((error: Error) => {
      throw systemFailure(`${variable} ${path}`, error);
    });
    return [[name, bytes]];
  });
  return Object.fromEntries((await Promise.all(read)).flat()) as Certificates;
}
