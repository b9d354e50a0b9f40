import type { Clock } from '../runtime/clock.ts';
import { ipBytes } from '../runtime/ip-address.ts';
import { rememberLatest } from '../runtime/remember-latest.ts';

const bounds = {
  /** Failures of one address at once. */
  burst: 20,
  perSecond: 1,
  /** Addresses that are remembered; the one that failed the longest ago is forgotten first. */
  addressesMax: 10_000,
} as const;

interface Bucket {
  left: number;
  countedMs: number;
}

/** Counts failed attempts by address, within bounds of memory. An IPv6 customer has 2^64 addresses, so /64 is one. */
export class Failures {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Counts one more. Milliseconds until the next may come, where there were too many; else undefined. */
  count(address: string): number | undefined {
    const name = networkOf(address);
    const nowMs = this.#clock.monotonicMs();
    const before = this.#buckets.get(name) ?? { left: bounds.burst, countedMs: nowMs };
    const regained = ((nowMs - before.countedMs) / 1000) * bounds.perSecond;
    const left = Math.min(bounds.burst, before.left + regained) - 1;
    rememberLatest(this.#buckets, name, { left: Math.max(left, -1), countedMs: nowMs }, bounds.addressesMax);
    return left >= 0 ? undefined : Math.ceil(-left / bounds.perSecond) * 1000;
  }
}

/** The address, or of IPv6 the network that one customer has. */
export function networkOf(address: string): string {
  const bytes = ipBytes(address);
  if (bytes === undefined || bytes.length === 4) return address;
  const isMapped = bytes.subarray(0, 12).equals(mappedPrefix);
  return isMapped ? bytes.subarray(12).join('.') : bytes.toString('hex', 0, 8);
}

/** Of IPv4 addresses as a listener for both kinds sees them: `::ffff:1.2.3.4`. */
const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');
