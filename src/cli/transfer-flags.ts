import { durationOf } from './duration-flag.ts';
import { UsageError } from './usage-error.ts';

/** The flags of whoever writes many records. */
export interface TransferWords {
  readonly concurrency: string;
  readonly retry: string;
}

export const transferFlags = {
  concurrency: {
    type: 'string',
    requiresArg: true,
    default: '8',
    describe: 'Batches of up to 1000 records under way at once, 1 to 64; of large values fewer, together 64 MiB',
  },
  retry: {
    type: 'string',
    requiresArg: true,
    default: '60s',
    describe:
      'For how long a batch, or behind the first one a page of what is read, is tried again while the cluster is away',
  },
} as const;

/** @throws UsageError */
export function transferBoundsOf({ concurrency, retry }: TransferWords): {
  readonly concurrency: number;
  readonly retryMs: number;
} {
  const places = /^\d{1,2}$/.test(concurrency) ? Number(concurrency) : 0;
  if (places >= 1 && places <= 64) return { concurrency: places, retryMs: durationOf('--retry', retry) };
  throw new UsageError(`--concurrency must be a whole number from 1 to 64; it is "${concurrency}"`);
}
