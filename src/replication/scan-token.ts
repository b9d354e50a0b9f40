import type { Cursor } from '../model/epoch.ts';
import type { RecordKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';

/**
 * How far a scan got, as its server writes it for itself; followers keep it unread. It is void at any other server and
 * in any other generation of this one (rule R4).
 * - `records`: in record order, up to `last`; `from` is what the server covered when the scan began, where the log scan
 *   that closes it must start.
 * - `log`: in the order of sequences, up to `cursor`; `covered` is what the server covered. Where its disk is rolled back
 *   behind that, what had moved on in the log stands in its earlier places again, which the scan may have passed.
 */
export type ScanToken =
  | { readonly kind: 'records'; readonly from: Cursor; readonly last: RecordKey }
  | { readonly kind: 'log'; readonly cursor: Cursor; readonly covered: Cursor };

type WrittenCursor = Array<[string, number, number | null]>;
interface WrittenToken {
  readonly g: string;
  readonly c: WrittenCursor;
  readonly l?: [string, string];
  readonly v?: WrittenCursor;
}

/** Where the log scan goes on, or closes a scan in record order. */
export function startOf(token: ScanToken): Cursor {
  return token.kind === 'records' ? token.from : token.cursor;
}

export function encodeToken(token: ScanToken, generation: string): string {
  const cursor = startOf(token);
  const written: WrittenToken = {
    g: generation,
    c: writtenOf(cursor),
    ...(token.kind === 'records' ? { l: [token.last.namespace, token.last.key] } : { v: writtenOf(token.covered) }),
  };
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** Undefined where the token is another server's, another generation's, or no token at all. */
export function decodeToken(text: string, generation: string): ScanToken | undefined {
  try {
    const written = JSON.parse(Buffer.from(text, 'base64url').toString()) as WrittenToken;
    if (written.g !== generation) return undefined;
    const cursor = cursorFrom(written.c);
    if (written.l !== undefined) {
      return { kind: 'records', from: cursor, last: { namespace: written.l[0] as NamespaceId, key: written.l[1] } };
    }
    return written.v && { kind: 'log', cursor, covered: cursorFrom(written.v) };
  } catch {
    return undefined; // What a follower kept is not this server's writing: void, as if it had none.
  }
}

function writtenOf(cursor: Cursor): WrittenCursor {
  return [...cursor].map(([origin, { sequence, epoch }]) => [origin, sequence, epoch ?? null]);
}

function cursorFrom(written: WrittenCursor): Cursor {
  return new Map(
    written.map(([origin, sequence, epoch]) => [origin as OriginId, { sequence, epoch: epoch ?? undefined }]),
  );
}
