import type { Changes } from '../../model/feed.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';

/** Milliseconds between signs of life to a follower that waits for its scan. */
const tellMs = 1000;

export interface ScanPermitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** False for a watch, whose client is given no empty events. */
  readonly tells: boolean;
}

/**
 * Waits for one of the permits to scan, and holds it once it ends. A follower gives up a stream in which nothing comes for
 * seconds, and its place in the line with it: so it is told nothing, once a second. @throws the signal's reason
 *
 *     permits   a b c d scan, each as slowly as it reads
 *     e         fell out of the ring: waits · {} · {} · {} · its scan
 */
export async function* scanPermit(
  permits: Semaphore,
  { clock, signal, tells }: ScanPermitOptions,
): AsyncGenerator<Changes> {
  signal.throwIfAborted();
  if (permits.tryAcquire()) return;
  let isFree = false;
  let isHeld = false;
  const acquired = permits.acquire(signal).then(() => {
    isFree = true;
  });
  try {
    while (!isFree) {
      await within(acquired, clock);
      if (!isFree && tells) yield { kind: 'changes', records: [] };
    }
    isHeld = true;
  } finally {
    if (!isHeld) {
      acquired.then(
        () => permits.release(),
        () => {},
      );
    }
  }
}

async function within(acquired: Promise<void>, clock: Clock): Promise<void> {
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.timer(tellMs, resolve);
  });
  await Promise.race([acquired, late]).finally(() => timer?.cancel());
}
