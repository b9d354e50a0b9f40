import type { NodeStatus, ProcessStatus } from '../../model/cluster.ts';
import { worstBound } from '../../model/staleness.ts';
import type { Standing } from './kept-process.ts';

/** One process of the edge as its supervisor sees it. */
export interface SeenProcess {
  readonly name: string;
  readonly isKeeper: boolean;
  readonly standing: Standing;
  /** What it said of itself; unset where it does not serve, or did not answer in time. */
  readonly status?: NodeStatus;
}

/**
 * The status of an edge of several processes: what is held and followed is the keeper's, readiness is that of the workers, at
 * which callers arrive. While the keeper is away, `lastOfKeeper` says who the edge is, and a worker what the cluster is.
 * Undefined where no process says anything.
 */
export function statusOfAll(
  seen: readonly SeenProcess[],
  lastOfKeeper: NodeStatus | undefined,
): NodeStatus | undefined {
  const workers = seen.filter(({ isKeeper }) => !isKeeper);
  const told = workers.flatMap(({ status }) => status ?? []);
  const keeper = seen.find(({ isKeeper }) => isKeeper)?.status;
  const base = keeper ?? told[0];
  if (base === undefined) return undefined;
  const { hitRate: _own, reads: _reads, writes: _writes, ...rest } = base;
  const hitRate = meanOf(told.flatMap((status) => status.hitRate ?? []));
  return {
    ...rest,
    node: keeper?.node ?? lastOfKeeper?.node ?? base.node,
    ready: told.length > 0 && told.every(({ ready }) => ready),
    uptimeMs: Math.max(...[base, ...told].map(({ uptimeMs }) => uptimeMs)),
    notes: notesOf(seen),
    ...(hitRate === undefined ? {} : { hitRate }),
    ...callsOf(workers),
    processes: seen.map(processStatus),
  };
}

function notesOf(seen: readonly SeenProcess[]): readonly string[] {
  const away = seen.flatMap(({ name, standing: { state }, status }) => {
    if (state !== 'serving') return [`the ${name} is away: it is started again`];
    return status === undefined ? [`the ${name} does not say how it is`] : [];
  });
  const said = seen.flatMap(({ name, isKeeper, status }) => {
    return (status?.notes ?? []).map((note) => (isKeeper ? note : `${name}: ${note}`));
  });
  return [...away, ...said];
}

function processStatus({ name, standing, status }: SeenProcess): ProcessStatus {
  const { state, pid, restarts } = standing;
  const boundMs = worstBound((status?.scopes ?? []).map((scope) => scope.boundMs));
  return {
    ...{ name, state, restarts, ready: status?.ready === true },
    ...(pid === undefined ? {} : { pid }),
    ...(boundMs === undefined ? {} : { boundMs }),
    ...(status?.hitRate === undefined ? {} : { hitRate: status.hitRate }),
  };
}

/** Of all workers together; unknown where one does not say. */
function callsOf(workers: readonly SeenProcess[]): Pick<NodeStatus, 'reads' | 'writes'> {
  const reads = sumOf(workers.map(({ status }) => status?.reads));
  const writes = sumOf(workers.map(({ status }) => status?.writes));
  return { ...(reads === undefined ? {} : { reads }), ...(writes === undefined ? {} : { writes }) };
}

function sumOf(counts: ReadonlyArray<number | undefined>): number | undefined {
  return counts.reduce<number | undefined>((sum, count) => {
    return sum === undefined || count === undefined ? undefined : sum + count;
  }, 0);
}

/** Workers share the connections evenly, so each counts alike. */
function meanOf(rates: readonly number[]): number | undefined {
  return rates.length === 0 ? undefined : rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}
