import { expect, it } from 'vitest';
import type { EdgeConfig } from '../../../src/config/config.ts';
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
  tell: (message: FromProcess) => void = () => {};
  kill: () => void = () => {};
  readonly ended = new Promise<string>((resolve) => {
    this.kill = () => resolve('SIGKILL');
  });

  send(message: ToProcess): boolean {
    this.told.push(message);
    if (message.kind === 'stop') this.kill();
    if (message.kind === 'asks') this.tell({ kind: 'answers', id: message.id, answer: { calls: 0 } });
    return true;
  }

  onMessage(run: (message: FromProcess) => void): void {
    this.tell = run;
  }
}

it('a worker that was about to serve as its edge was drained is drained once it does', async () => {
  const spawned = new Map<Part['role'], FakeProcess>();
  const processes = new EdgeProcesses({
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
  const starting = processes.start();
  const keeper = spawned.get('keeper');
  keeper?.tell({ kind: 'hears' });
  keeper?.tell({ kind: 'serving' });
  await expect.poll(() => spawned.get('worker')).toBeDefined();
  const worker = spawned.get('worker');
  worker?.tell({ kind: 'hears' });
  expect(worker?.told).toMatchObject([{ kind: 'start', isDrained: false }]);
  await processes.drain();
  worker?.tell({ kind: 'serving' });
  await starting;
  const told = worker?.told.filter((message) => message.kind !== 'asks' || message.question !== 'alive');
  expect(told).toMatchObject([{ kind: 'start' }, { kind: 'asks', question: 'drain' }]);
  await processes.stop();
});
