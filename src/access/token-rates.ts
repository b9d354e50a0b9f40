import { MeridianError } from '../model/errors.ts';
import type { TokenLimits } from '../model/token.ts';
import type { Clock } from '../runtime/clock.ts';

interface Bucket {
  /** What may still be taken; below zero it is owed. */
  level: number;
  countedMs: number;
}

type Rate = 'reads' | 'writes' | 'bytes';

interface Use {
  readonly buckets: Map<Rate, Bucket>;
  streams: number;
}

const fieldOf = { reads: 'readsPerSecond', writes: 'writesPerSecond', bytes: 'bytesPerSecond' } as const;

/**
 * What each token takes of this node, in one second's worth at a time. What is only known afterwards, the bytes of an
 * answer, is owed: then the next request waits until that is paid. Tokens without limits are not counted.
 */
export class TokenRates {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** By token id: no more than there are tokens. */
  readonly #uses = new Map<string, Use>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Whether anything more may be taken now. */
  has(id: string, limits: TokenLimits | undefined, rate: Rate): boolean {
    return this.#waitMs(id, limits, rate) === 0;
  }

  /** @throws RESOURCE_EXHAUSTED (`token-rate`) where what was taken before is not regained yet */
  take(id: string, limits: TokenLimits | undefined, rate: Rate, count: number): void {
    const retryAfterMs = this.#waitMs(id, limits, rate);
    if (retryAfterMs > 0) throw tooFast(rate, limits?.[fieldOf[rate]], retryAfterMs);
    this.owe(id, limits, rate, count);
  }

  /** Takes what was used already. */
  owe(id: string, limits: TokenLimits | undefined, rate: Rate, count: number): void {
    const perSecond = limits?.[fieldOf[rate]];
    if (perSecond !== undefined) this.#bucket(id, rate, perSecond).level -= count;
  }

  /** One more watch or feed; what is returned gives it back, once. @throws RESOURCE_EXHAUSTED (`token-streams`) */
  beginStream(id: string, limits: TokenLimits | undefined): () => void {
    const most = limits?.streamsMax;
    if (most === undefined) return () => {};
    const use = this.#use(id);
    if (use.streams >= most) {
      const message = `this token has ${most} watches and feeds at this node already`;
      throw new MeridianError('RESOURCE_EXHAUSTED', message, {
        ...{ reason: 'token-streams', limit: most, seen: use.streams + 1, retryAfterMs: 5000 },
      });
    }
    use.streams++;
    return () => {
      use.streams--;
    };
  }

  #waitMs(id: string, limits: TokenLimits | undefined, rate: Rate): number {
    const perSecond = limits?.[fieldOf[rate]];
    if (perSecond === undefined) return 0;
    const { level } = this.#bucket(id, rate, perSecond);
    // Of bytes nobody knows how many it will be: any may be left.
    const missing = rate === 'bytes' ? (level > 0 ? 0 : 1 - level) : 1 - level;
    return missing <= 0 ? 0 : Math.ceil((missing / perSecond) * 1000);
  }

  #bucket(id: string, rate: Rate, perSecond: number): Bucket {
    const { buckets } = this.#use(id);
    const nowMs = this.#clock.monotonicMs();
    const bucket = buckets.get(rate) ?? { level: perSecond, countedMs: nowMs };
    bucket.level = Math.min(perSecond, bucket.level + ((nowMs - bucket.countedMs) / 1000) * perSecond);
    bucket.countedMs = nowMs;
    buckets.set(rate, bucket);
    return bucket;
  }

  #use(id: string): Use {
    const use = this.#uses.get(id) ?? { buckets: new Map(), streams: 0 };
    this.#uses.set(id, use);
    return use;
  }
}

function tooFast(rate: Rate, limit: number | undefined, retryAfterMs: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `this token has ${limit} ${rate} a second at this node`, {
    ...{ reason: 'token-rate', retryAfterMs },
    ...(limit === undefined ? {} : { limit }),
  });
}
