import { expect, it, onTestFinished, vi } from 'vitest';
import { describeFailure, exitCodes } from '../../src/cli/exit-code.ts';
import type { TellingOptions } from '../../src/node/outside.ts';
import { runNode, type StartNode } from '../../src/node/run-node.ts';
import type { RunningNode } from '../../src/node/running-node.ts';

const telling: TellingOptions = {
  ...{ name: 'fra', role: 'edge', region: 'here', logFormat: 'json', traceSampling: 1 },
  ...{ logLevel: { least: 'error', modules: {} }, otlpEndpoint: undefined },
};

/** A node that only starts and stops. */
function fakeNode(
  signals: Partial<Pick<RunningNode, 'mustReopen' | 'replaced' | 'stopAsked'>>,
): RunningNode & { readonly stopped: () => number } {
  const stop = vi.fn(async () => {});
  return {
    grpcAddress: '',
    httpAddress: '',
    ready: async () => true,
    stopAsked: new AbortController().signal,
    drain: async () => ({ calls: 0 }),
    stop,
    stopped: () => stop.mock.calls.length,
    ...signals,
  };
}

function run(start: StartNode, stopped: AbortSignal): Promise<void> {
  const before = ['uncaughtException', 'unhandledRejection'].map(
    (name) => [name, process.listeners(name as 'exit')] as const,
  );
  onTestFinished(() => {
    for (const [name, listeners] of before) {
      for (const listener of process.listeners(name as 'exit')) {
        if (!listeners.includes(listener)) process.off(name, listener);
      }
    }
  });
  return runNode(start, {
    telling,
    unknownVariables: [],
    stopped,
  });
}

it('a node that begins anew is stopped and started again in the same process', async () => {
  const stop = new AbortController();
  const mustReopen = new AbortController();
  const nodes = [fakeNode({ mustReopen: mustReopen.signal }), fakeNode({})] as const;
  let started = 0;
  const running = run(async () => {
    if (started === 1) stop.abort();
    else mustReopen.abort();
    return nodes[started++] ?? nodes[1];
  }, stop.signal);
  await running;
  expect([started, ...nodes.map((node) => node.stopped())]).toEqual([2, 1, 1]);
});

it('a node whose member runs elsewhere is stopped and not started again, and the process ends with a code of its own', async () => {
  const replaced = new AbortController();
  const node = fakeNode({ replaced: replaced.signal });
  let started = 0;
  const running = run(async () => {
    started++;
    replaced.abort('log 2 was opened later');
    return node;
  }, new AbortController().signal);
  const error = await running.catch((thrown: unknown) => thrown);
  expect(describeFailure(error, false)).toEqual({
    exitCode: exitCodes.replaced,
    line: expect.stringContaining('log 2 was opened later'),
  });
  expect([started, node.stopped(), exitCodes.replaced]).toEqual([1, 1, 4]);
});

it('what was held for a start that does not come is given back, also where a start fails', async () => {
  const close = vi.fn(async () => {});
  const stop = new AbortController();
  const started = async () => {
    stop.abort();
    return fakeNode({});
  };
  await run(Object.assign(started, { close }), stop.signal);
  const failing = Object.assign(() => Promise.reject(new Error('no start')), { close });
  await expect(run(failing, new AbortController().signal)).rejects.toThrow('no start');
  expect(close).toHaveBeenCalledTimes(2);
});

it('a start that waits is given up when the process is told to end, and what it holds is given back', async () => {
  const stop = new AbortController();
  const close = vi.fn(async () => {});
  const start: StartNode = Object.assign(
    async (_outside: unknown, stopped?: AbortSignal): Promise<RunningNode> => {
      stop.abort(new Error('stopped by SIGTERM'));
      stopped?.throwIfAborted();
      return fakeNode({});
    },
    { close },
  );
  await run(start, stop.signal);
  expect(close).toHaveBeenCalledTimes(1);
});

it('a start that fails while the process is told to end says why', async () => {
  const stop = new AbortController();
  const start = async () => {
    stop.abort(new Error('stopped by SIGTERM'));
    throw new Error('no room');
  };
  await expect(run(start, stop.signal)).rejects.toThrow('no room');
});
