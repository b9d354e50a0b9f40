import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Namespace } from '../../../../src/client/namespace.ts';
import { systemClock } from '../../../../src/runtime/system-clock.ts';

export interface Seen {
  /** Milliseconds until each was answered, or Infinity where it failed. */
  readonly getMs: number[];
  readonly healthMs: number[];
  /** What failed, and why. */
  readonly failures: string[];
  /** Bytes resident, by the node's own metrics, whenever they were answered. */
  readonly residentBytes: number[];
}

const periodMs = 50;
/** Far beyond what is judged: on a machine that does much else a node has little of a processor. */
const patienceMs = 60_000;

/** Gets 20 keys a second and asks for health and metrics once, whatever else the node has to do. */
export async function behaveWell(
  small: { readonly namespace: Namespace; readonly keys: readonly string[] },
  http: string,
  { forMs, token }: { readonly forMs: number; readonly token?: string },
): Promise<Seen> {
  const seen: Seen = { getMs: [], healthMs: [], failures: [], residentBytes: [] };
  const asked: Array<Promise<void>> = [];
  const timed = async (into: number[], what: string, ask: () => Promise<void>) => {
    const beganMs = systemClock.monotonicMs();
    try {
      await ask();
      into.push(systemClock.monotonicMs() - beganMs);
    } catch (error) {
      into.push(Number.POSITIVE_INFINITY);
      seen.failures.push(`${what}: ${String(error)}`);
    }
  };
  const get = async (key: string) => {
    const value = await small.namespace.get(key, { timeoutMs: patienceMs });
    if (value !== `value of ${key}`) throw new Error(`${key} is ${value}`);
  };
  const health = async () => {
    const status = await fetchText(`http://${http}/livez`, token);
    if (status !== 'ok\n') throw new Error(status);
  };
  const metrics = async () => {
    const resident = /^process_resident_memory_bytes (\d+)/m.exec(
      await fetchText(`http://${http}/metrics`, token),
    )?.[1];
    seen.residentBytes.push(Number(resident));
  };
  const beganMs = systemClock.monotonicMs();
  for (let n = 0; systemClock.monotonicMs() - beganMs < forMs; n++) {
    asked.push(timed(seen.getMs, 'get', () => get(small.keys[n % small.keys.length] ?? '')));
    if (n % 20 === 0) {
      asked.push(timed(seen.healthMs, 'health', health));
      asked.push(timed([], 'metrics', metrics));
    }
    await delay(Math.max(0, beganMs + (n + 1) * periodMs - systemClock.monotonicMs()));
  }
  await Promise.all(asked);
  return seen;
}

/** On a connection of its own, as probes come. */
function fetchText(url: string, token: string | undefined): Promise<string> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, timeout: patienceMs, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text)).on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject).end();
  });
}

/** What part of them took at most so long. */
export function partWithin(times: readonly number[], ms: number): number {
  return times.filter((time) => time <= ms).length / times.length;
}

/** Milliseconds, whole, within which that part of them was answered. */
export function percentile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.round(sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN);
}
