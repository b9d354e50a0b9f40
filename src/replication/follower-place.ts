import { unreachable } from '../model/assert.ts';
import type { Cursor } from '../model/epoch.ts';
import type { FollowOpen } from '../model/feed.ts';

/** Where the follower stands, as far as this stream knows. */
export type Place =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'now' }
  | { readonly kind: 'token'; readonly token: string; readonly cursor?: Cursor }
  | { readonly kind: 'cursor'; readonly cursor: Cursor };

export function placeOf(start: FollowOpen['start']): Place {
  switch (start.kind) {
    case 'nothing':
    case 'now':
      return start;
    case 'partial':
      return { kind: 'token', token: start.token };
    case 'cursor':
      if (start.token === undefined) return { kind: 'cursor', cursor: start.cursor };
      return { kind: 'token', token: start.token, cursor: start.cursor };
    default:
      return unreachable(start);
  }
}

export function cursorIn(place: Place): Cursor | undefined {
  return place.kind === 'cursor' || place.kind === 'token' ? place.cursor : undefined;
}
