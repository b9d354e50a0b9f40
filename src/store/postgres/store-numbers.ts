import { MeridianError } from '../../model/errors.ts';

/** Which numbers of `store` an origin uses. A number is never used again. */
export interface StoreNumbers {
  readonly current: number;
  /** Put aside, oldest first (rule R8). */
  readonly aside: readonly number[];
  /** Given up; their rows are being deleted. */
  readonly dropped: readonly number[];
  readonly last: number;
}

export const firstStores: StoreNumbers = { current: 1, aside: [], dropped: [], last: 1 };

export function encodeStores({ current, aside, dropped, last }: StoreNumbers): string {
  return JSON.stringify({ current, aside, dropped, last });
}

/** @throws DATA_LOSS */
export function decodeStores(text: string): StoreNumbers {
  try {
    const { current, aside, dropped, last } = JSON.parse(text) as Partial<StoreNumbers>;
    const numbers = [current, last, ...(aside ?? []), ...(dropped ?? [])];
    if (current === undefined || last === undefined || !numbers.every(Number.isSafeInteger))
      throw new Error('no numbers');
    return { current, aside: aside ?? [], dropped: dropped ?? [], last };
  } catch (cause) {
    throw new MeridianError('DATA_LOSS', 'the numbers of the stores cannot be read', {
      reason: 'store-damaged',
      cause,
    });
  }
}

/** An empty store takes the place of the current one, which is dropped. */
export function erased({ current, aside, dropped, last }: StoreNumbers): StoreNumbers {
  return { current: last + 1, aside, dropped: [...dropped, current], last: last + 1 };
}

/** An empty store takes the place of the current one, which is kept. */
export function putAside({ current, aside, dropped, last }: StoreNumbers): StoreNumbers {
  return { current: last + 1, aside: [...aside, current], dropped, last: last + 1 };
}

/** The newest of those put aside takes the place of the current one, which is dropped. */
export function takenBack(stores: StoreNumbers): StoreNumbers {
  const { current, aside, dropped } = stores;
  const newest = aside.at(-1);
  if (newest === undefined) throw new Error('no store was put aside');
  return { ...stores, current: newest, aside: aside.slice(0, -1), dropped: [...dropped, current] };
}

export function asideDropped(stores: StoreNumbers): StoreNumbers {
  return { ...stores, aside: [], dropped: [...stores.dropped, ...stores.aside] };
}

export function reaped(stores: StoreNumbers, number: number): StoreNumbers {
  return { ...stores, dropped: stores.dropped.filter((each) => each !== number) };
}
