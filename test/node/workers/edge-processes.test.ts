import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { EdgeConfig } from '../../../src/config/config.ts';
import type { Question } from '../../../src/node/workers/dialogue.ts';
import { EdgeProcesses } from '../../../src/node/workers/edge-processes.ts';
import type { SpawnedProcess } from '../../../src/node/workers/kept-process.ts';
import type { FromProcess, Part, ToProcess } from '../../../src/node/workers/messages.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';

/** A process that does as the test says. */
class FakeProcess implements SpawnedProcess {
  readonly pid = 1;
  readonly told: ToProcess[] = [];
  #isDrained = false;
  tell: (message: FromProcess) => void = () => {};
  kill: () => void = () => {};
  readonly ended = new Promise<string>((resolve) => {
    this.kill = () => resolve('SIGKILL');
  });

  send(message: ToProcess): boolean {
    this.told.push(message);
    if (message.kind === 'stop') this.kill();
    if (message.kind === 'asks') this.tell({ kind: 'answers', id: message.id, answer: this.#answer(message.question) });
    return true;
  }

  #answer(question: Question): unknown {
    this.#isDrained ||= question === 'drain';
    return question === 'status' ? { ready: !this.#isDrained, notes: [], scopes: [], uptimeMs: 1 } : { calls: 0 };
  }

  onMessage(run: (message: FromProcess) => void): void {
    this.tell = run;
  }
}

let spawned: Map<Part['role'], FakeProcess>;
let processes: EdgeProcesses;

beforeEach(() => {
  spawned = new Map();
  processes = new EdgeProcesses({
    config: { workers: 1, drainTimeoutMs: 10, name: 'edge', data: 'data' } as EdgeConfig,
    ports: { listen: { host: '', port: 1 }, http: { host: '', port: 2 }, redis: undefined },
    socket: '',
    spawn: ({ role }) => {
      const process = new FakeProcess();
      spawned.set(role, process);
      return process;
    },
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
});
afterEach(() => processes.stop());

/** Starts both, but for the last word of the worker. */
async function begin(): Promise<{ readonly worker: FakeProcess; readonly starting: Promise<void> }> {
  const starting = processes.start();
  const keeper = spawned.get('keeper');
  keeper?.tell({ kind: 'hears' });
  keeper?.tell({ kind: 'serving' });
  const worker = await vi.waitUntil(() => spawned.get('worker'));
  worker.tell({ kind: 'hears' });
  return { worker, starting };
}

it('a worker that was about to serve as its edge was drained is drained once it does', async () => {
  const { worker, starting } = await begin();
  expect(worker.told).toMatchObject([{ kind: 'start', isDrained: false }]);
  await processes.drain();
  worker.tell({ kind: 'serving' });
  await starting;
  const told = worker.told.filter((message) => message.kind !== 'asks' || message.question !== 'alive');
  expect(told).toMatchObject([{ kind: 'start' }, { kind: 'asks', question: 'drain' }]);
});

it('an edge that is drained says so from then on, whatever it told a moment before', async () => {
  const { worker, starting } = await begin();
  worker.tell({ kind: 'serving' });
  await starting;
  expect(await processes.status()).toMatchObject({ ready: true });
  await processes.drain();
  expect(await processes.status()).toMatchObject({ ready: false });
});
