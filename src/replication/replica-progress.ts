import { unreachable } from '../model/assert.ts';
import type { Changes } from '../model/feed.ts';
import type { OriginId } from '../model/position.ts';
import type { Store } from '../store/store.ts';
import type { Ledger } from './ledger.ts';

/** Named state of the store: where a scan stands, and whether it is one with a sweep. */
export const replicaProgressName = 'replica/progress';

export type Progress =
  /** Nothing was ever received. */
  | { readonly kind: 'nothing' }
  /**
   * A scan of every record is under way; with `sweep`, the server's covered vector by which it sweeps (rule R7), and with
   * `finals` what is kept of removed origins (rule R23).
   */
  | {
      readonly kind: 'scan';
      readonly token?: string;
      readonly sweep?: Array<[OriginId, number]>;
      readonly finals?: Array<[OriginId, number]>;
    }
  /** Caught up once; `token` is of a delta scan that broke off. */
  | { readonly kind: 'covered'; readonly token?: string };

export async function readProgress(store: Pick<Store, 'meta'>, name: string): Promise<Progress> {
  const stored = await store.meta(name);
  return stored === undefined ? { kind: 'nothing' } : (JSON.parse(Buffer.from(stored).toString()) as Progress);
}

/** A scan that broke off goes on no more, also after a restart. */
export async function forgetProgress(ledger: Pick<Ledger, 'submit'>, name: string): Promise<Progress> {
  const decide = () => ({ meta: new Map([[name, undefined]]), result: undefined });
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide });
  return { kind: 'nothing' };
}

/** Where a feed stands once these changes are applied: the token of the page names what follows it. */
export function progressAfter(progress: Progress, { token }: Pick<Changes, 'token'>): Progress {
  switch (progress.kind) {
    case 'nothing':
      return { kind: 'scan', ...(token === undefined ? {} : { token }) };
    case 'scan':
      return token === undefined ? progress : { ...progress, token };
    case 'covered':
      return { kind: 'covered', ...(token === undefined ? {} : { token }) };
    default:
      return unreachable(progress);
  }
}
