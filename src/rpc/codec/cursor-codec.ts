import type { Cursor, Openings } from '../../model/epoch.ts';
import { decodeOrigin } from './record-codec.ts';

export interface WireCursor {
  readonly components: Readonly<Record<string, { readonly sequence: number; readonly epoch?: number | null }>>;
}

export function encodeCursor(cursor: Cursor): WireCursor {
  return { components: Object.fromEntries(cursor) as WireCursor['components'] };
}

export function decodeCursor(wire: WireCursor | null | undefined): Cursor {
  return new Map(
    Object.entries(wire?.components ?? {}).map(([origin, { sequence, epoch }]) => [
      decodeOrigin(origin),
      { sequence, epoch: epoch ?? undefined },
    ]),
  );
}

export type WireOpenings = Readonly<Record<string, number>>;

export function encodeOpenings(openings: Openings): WireOpenings {
  return Object.fromEntries(openings);
}

export function decodeOpenings(wire: WireOpenings | null | undefined): Openings {
  return new Map(Object.entries(wire ?? {}).map(([origin, epoch]) => [decodeOrigin(origin), epoch]));
}
