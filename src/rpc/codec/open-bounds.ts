import { MeridianError } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import type { WireVector } from './record-codec.ts';

/** Bounds of what a follower says when it opens a stream; nodes keep it for as long as the stream lives. */
const bounds = {
  /** Ranges of its scope, included and excluded. */
  ranges: 1024,
  /** UTF-8 bytes of a name, a region, an id, an address or a nonce. */
  labelBytes: 512,
  /** UTF-8 bytes of a scan's token: a cursor in JSON, and a key. */
  tokenBytes: 256 * 1024,
  /** Members that a peer counts, and as many that it knows to be removed. */
  members: 1024,
} as const;

interface Said {
  readonly node: object | null;
  readonly nonce: string;
  readonly clusterId: string;
  readonly filter: {
    readonly includes: ReadonlyArray<{ readonly prefix: string }>;
    readonly excludes: ReadonlyArray<{ readonly prefix: string }>;
  } | null;
  readonly partial?: string;
  readonly role: string;
  readonly cursor?: WireVector | null;
  readonly token: string;
  readonly view?: { readonly members: readonly string[]; readonly removals: readonly object[] } | null;
}

/** @throws INVALID_ARGUMENT if a follower says more than any follower has to say */
export function checkOpenBounds(said: Said): void {
  const { node, nonce, clusterId, filter, partial = '', role, cursor, token, view } = said;
  const ranges = [...(filter?.includes ?? []), ...(filter?.excludes ?? [])];
  check('ranges of a scope', bounds.ranges, ranges.length);
  for (const { prefix } of ranges) check('bytes of a prefix', limits.keyBytesMax, Buffer.byteLength(prefix));
  const labels = [nonce, clusterId, ...Object.values(node ?? {})].filter((label) => typeof label === 'string');
  for (const label of labels) check('bytes of a label', bounds.labelBytes, Buffer.byteLength(label));
  check('members of a view', bounds.members, view?.members.length ?? 0);
  check('removals of a view', bounds.members, view?.removals.length ?? 0);
  for (const text of [partial, token]) check('bytes of a token', bounds.tokenBytes, Buffer.byteLength(text));
  // A client's watch has a folded cursor. A node's names every log, and is bounded as vectors between nodes are.
  if (role !== 'watch') return;
  check('components of a cursor', limits.vectorComponentsMax, Object.keys(cursor?.sequences ?? {}).length);
}

function check(what: string, limit: number, seen: number): void {
  if (seen <= limit) return;
  const message = `${what}: at most ${limit}; this follower has ${seen}`;
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'open-too-large', limit, seen });
}
