import { describe, expect, it } from 'vitest';
import { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { WriteAnswer, WriteRequest } from '../../src/model/key-value.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { FakeNode } from './fake-node.ts';

/** Refuses as many writes as it is told to, for now. */
class BusyNode extends FakeNode {
  refusals = 0;
  retryAfterMs: number | undefined = 100;

  override async write(request: WriteRequest, call: Parameters<FakeNode['write']>[1]): Promise<WriteAnswer> {
    if (this.refusals-- <= 0) return super.write(request, call);
    throw new MeridianError('RESOURCE_EXHAUSTED', 'busy', {
      reason: 'busy',
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    });
  }
}

function clusterOf(node: BusyNode, fraction: number, timeoutMs = 60_000) {
  const waits: number[] = [];
  let nowMs = 0;
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    timer: (delayMs, run) => {
      if (delayMs >= timeoutMs) return { cancel: () => {} };
      waits.push(delayMs);
      nowMs += delayMs;
      queueMicrotask(run);
      return { cancel: () => {} };
    },
  };
  const random = { fraction: () => fraction, hex: () => '' };
  const cluster = new ClusterHandle({ nodes: [node], clock, random, timeoutMs, sessions: true });
  return { flags: cluster.namespace('flags'), waits };
}

describe('a client whose call is refused for now', () => {
  it('comes again when it is told to, later each time and not with the others', async () => {
    const node = new BusyNode();
    node.refusals = 3;
    const { flags, waits } = clusterOf(node, 0.5);
    await flags.put('k', 'v');
    expect(waits).toEqual([150, 300, 600]);
    expect(node.writes).toHaveLength(1);
  });

  it('reads a value that is a stream once', async () => {
    const node = new BusyNode();
    node.refusals = 2;
    const { flags } = clusterOf(node, 0);
    await flags.put('k', new Response('streamed').body as ReadableStream<Uint8Array>);
    const [written] = node.writes.flatMap(({ mutations }) => mutations);
    expect(written?.kind === 'put' && Buffer.from(written.value).toString()).toBe('streamed');
  });

  it('gives up in the end', async () => {
    const node = new BusyNode();
    node.refusals = 100;
    const { flags, waits } = clusterOf(node, 0);
    await expect(flags.put('k', 'v')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(waits).toEqual([100, 200, 400, 800, 1600]);
  });

  it('waits for nothing that would come after its deadline', async () => {
    const node = new BusyNode();
    node.refusals = 100;
    const { flags, waits } = clusterOf(node, 0, 250);
    await expect(flags.put('k', 'v')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(waits).toEqual([100]);
  });

  it('does not come again where it is not told to', async () => {
    const node = new BusyNode();
    node.refusals = 1;
    node.retryAfterMs = undefined;
    const { flags, waits } = clusterOf(node, 0);
    await expect(flags.put('k', 'v')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(waits).toEqual([]);
  });
});
