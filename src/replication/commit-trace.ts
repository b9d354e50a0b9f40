import { endedWith, type Trace } from '../model/trace.ts';

/**
 * Runs a commit as a step of its first traced proposal. Each traced proposal learns how many proposals the commit took.
 * The step links to the other traced proposals, since it is theirs too.
 */
export function inBatch(
  proposals: ReadonlyArray<Trace | undefined>,
  { records, sync }: { readonly records: number; readonly sync: boolean },
  run: () => Promise<void>,
): Promise<void> {
  const traces = proposals.filter((trace) => trace !== undefined);
  const [first, ...others] = traces;
  if (first === undefined) return run();
  for (const trace of traces) trace.tell({ 'meridian.commit.proposals': proposals.length });
  const step = first.step('batch', {
    links: others,
    fields: {
      'meridian.commit.proposals': proposals.length,
      'meridian.commit.records': records,
      'meridian.commit.sync': sync,
    },
  });
  return endedWith(step, run());
}
