import { MeridianError } from '../../model/errors.ts';
import { compareKeys } from '../../model/key.ts';
import { limits } from '../../model/limits.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { textOfUtf8 } from '../../model/text.ts';

export interface NamespacesPage {
  /** At most this many; 0 = as many as fit. */
  readonly limit: number;
  /** The cursor of the last page; empty = the first page. */
  readonly cursor: string;
}

/** Bytes of a namespace on the wire besides its title and its home: the id, tags and lengths. */
const entryBytes = 64;
/** Bytes of one page, well within one message of gRPC. */
const pageBytesMax = limits.unaryMessageBytesMax / 4;
const cursorMark = 't:';

/**
 * One page of the namespaces, in the order of their titles. The cursor is the last title of the page before, encoded,
 * so that it means the same at every node and after any change: a namespace that is renamed meanwhile may be missed, or
 * come twice, but never one that keeps its title.
 * @throws INVALID_ARGUMENT if it is no such cursor
 */
export function namespacesPage(
  all: readonly NamespaceInfo[],
  { limit, cursor }: NamespacesPage,
): { readonly namespaces: readonly NamespaceInfo[]; readonly cursor: string } {
  const after = cursor === '' ? undefined : decodeCursor(cursor);
  const rest = all.filter(({ title }) => after === undefined || compareKeys(title, after) > 0);
  rest.sort((a, b) => compareKeys(a.title, b.title));
  let [count, bytes] = [0, 0];
  for (const { title, home } of rest) {
    bytes += entryBytes + Buffer.byteLength(title) + home.length;
    if (count > 0 && (bytes > pageBytesMax || count === limit)) break;
    count++;
  }
  const namespaces = rest.slice(0, count);
  const last = namespaces.at(-1);
  return { namespaces, cursor: last === undefined || count === rest.length ? '' : encodeCursor(last.title) };
}

function encodeCursor(title: string): string {
  return Buffer.from(cursorMark + title).toString('base64url');
}

function decodeCursor(cursor: string): string {
  const text = textOfUtf8(Buffer.from(cursor, 'base64url'));
  if (text?.startsWith(cursorMark)) return text.slice(cursorMark.length);
  throw new MeridianError('INVALID_ARGUMENT', 'this is no cursor of a list of namespaces', { reason: 'bad-cursor' });
}
