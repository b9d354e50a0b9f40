import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Address } from '../../config/option.ts';
import { parseAddress } from '../../config/parse-address.ts';
import type { Member, NodeStatus, ScopeDigest } from '../../model/cluster.ts';
import { toMeridianError } from '../../model/errors.ts';
import { formatVector } from '../../model/version-vector.ts';
import { table } from '../table.ts';
import { ageOf } from './describe-node.ts';

/** One node of the cluster as it answered, or why it did not. */
export interface NodeView {
  readonly member: Member;
  readonly status?: NodeStatus;
  readonly digests?: readonly ScopeDigest[];
  readonly error?: string;
}

export interface Looking {
  /** The second of the digests; unset = none are asked for. */
  readonly second: number | undefined;
  readonly signal: AbortSignal;
  /** A handle on the node at that address. Rejects where it is not to be asked. */
  readonly reach: (address: Address) => Promise<ClusterHandle>;
}

/** Milliseconds for a node to tell its status; digests read everything and take the client's own time. */
const statusMs = 3_000;

/** Asks a member where it says that it is reached. */
export async function viewOf(member: Member, looking: Looking): Promise<NodeView> {
  const address = member.address === undefined ? undefined : parseAddress(member.address);
  if (address === undefined) return { member, error: 'says no address' };
  const opening = looking.reach(address);
  try {
    return await lookThrough(opening, member, looking);
  } finally {
    await opening.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}

/** The same over a connection that stays its opener's to close. */
export async function lookThrough(
  opening: Promise<ClusterHandle>,
  member: Member,
  { second, signal }: Pick<Looking, 'second' | 'signal'>,
): Promise<NodeView> {
  try {
    const cluster = await opening;
    const status = await cluster.status({ timeoutMs: statusMs, signal });
    // An origin that began anew on the same machine, say, whose old id was not removed yet.
    if (status.node.id !== member.id) return { member, error: `${status.node.name} ${status.node.id} answers there` };
    return {
      member,
      status,
      ...(second === undefined ? {} : { digests: await cluster.digest({ second }, { signal }) }),
    };
  } catch (error) {
    return { member, error: toMeridianError(error).message };
  }
}

/** One line a node. */
export function describeCluster(views: readonly NodeView[]): string {
  const rows = views.flatMap(({ member: { name, role, region }, status, error }): string[][] => {
    if (status === undefined) return [[name, role, region, `unknown: ${error}`, '', '', '', '']];
    const state = status.ready ? 'ready' : 'NOT READY';
    return status.scopes.map(({ kind, boundMs, bytes, covered }) => {
      const hitRate = status.hitRate === undefined ? '' : `${(status.hitRate * 100).toFixed(1)} %`;
      return [name, role, region, state, kind, ageOf(boundMs), hitRate, bytes?.toString() ?? '', formatVector(covered)];
    });
  });
  return table(['node', 'role', 'region', 'state', 'scope', 'proven age', 'hit rate', 'bytes', 'covered'], rows);
}

/** One line for each namespace of each scope: equal lines hold equal records. */
export function describeDigests(views: readonly NodeView[]): string {
  const rows = views.flatMap(({ member, digests = [] }) =>
    digests.map(({ title, prefixes, scope, records, digest, damaged, vector, second }) => {
      const holds = prefixes.map((prefix) => (prefix === '' ? title : `${title}/${prefix}*`)).join(' ');
      return [
        member.name,
        scope,
        holds,
        String(records),
        digest ?? `unknown: ${damaged} damaged`,
        formatVector(vector),
        String(second),
      ];
    }),
  );
  return table(['node', 'scope', 'holds', 'records', 'digest', 'covered', 'second'], rows);
}

/** Keys of one node that are shown; a program is told all. */
const hotKeysShown = 20;

/** The hottest keys of each node. */
export function describeHotKeys(views: readonly NodeView[]): string {
  const rows = views.flatMap(({ member: { name }, status }) => {
    return (status?.hotKeys ?? []).slice(0, hotKeysShown).map(({ namespace, title, key, reads, error }) => {
      return [name, title === '' ? namespace : title, key, Math.round(reads).toString(), Math.round(error).toString()];
    });
  });
  return table(['node', 'namespace', 'hot key', 'reads in the last minute', 'off by at most'], rows);
}
