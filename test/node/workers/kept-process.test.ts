import { describe, expect, it } from 'vitest';
import type { EdgeConfig } from '../../../src/config/config.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { KeptProcess, type SpawnedProcess } from '../../../src/node/workers/kept-process.ts';
import type { FromProcess, ToProcess } from '../../../src/node/workers/messages.ts';
import { encodeFailure } from '../../../src/node/workers/wire-failure.ts';
import { loggerTo } from '../../../src/runtime/logger.ts';
import { FakeClock } from '../../edge/fake-clock.ts';

class FakeProcess implements SpawnedProcess {
  readonly told: ToProcess[] = [];
  readonly ended: Promise<string>;
  killed = false;
  tell: (message: FromProcess) => void = () => {};
  end: (how: string) => void = () => {};

  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  send(message: ToProcess): boolean {
    this.told.push(message);
    return true;
  }

  onMessage(run: (message: FromProcess) => void): void {
    this.tell = run;
  }

  kill(): void {
    this.killed = true;
    this.end('SIGKILL');
  }
}

const start: ToProcess = {
  kind: 'start',
  part: { role: 'keeper' },
  isDrained: false,
  socket: '/socket',
  config: {} as EdgeConfig,
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A process that is kept, those that were spawned for it, the pauses that it made, and why the next ones cannot be spawned. */
function keep() {
  const clock = new FakeClock();
  const spawned: FakeProcess[] = [];
  const pauses: number[] = [];
  const refusals: unknown[] = [];
  const kept = new KeptProcess({
    name: 'keeper',
    start,
    clock,
    // The longest pause that the back-off allows.
    random: { fraction: () => 1, hex: () => '' },
    logger: loggerTo((_level, _message, fields) => pauses.push(Number(fields?.['pauseMs']))),
    spawn: () => {
      if (refusals.length > 0) throw refusals.shift();
      const process = new FakeProcess(spawned.length + 1);
      spawned.push(process);
      return process;
    },
    answer: async (question) => `all of ${question}`,
  });
  const latest = (): FakeProcess => {
    const process = spawned.at(-1);
    if (process === undefined) throw new Error('none was spawned');
    return process;
  };
  return { clock, spawned, pauses, refusals, kept, latest };
}

async function serving() {
  const world = keep();
  const started = world.kept.start();
  world.latest().tell({ kind: 'hears' });
  world.latest().tell({ kind: 'serving', httpAddress: '127.0.0.1:1' });
  expect(await started).toMatchObject({ httpAddress: '127.0.0.1:1' });
  return world;
}

describe('a kept process', () => {
  it('is told what to do once it hears, and not before', async () => {
    const { kept, latest } = keep();
    const started = kept.start();
    expect(latest().told).toEqual([]);
    latest().tell({ kind: 'hears' });
    expect(latest().told).toEqual([start]);
    latest().tell({ kind: 'serving' });
    await started;
    expect(kept.standing).toEqual({ state: 'serving', pid: 1, restarts: 0 });
  });

  it('is not tried again where its first start fails, and says why', async () => {
    const { kept, latest, spawned } = keep();
    const started = kept.start();
    const why = new MeridianError('UNAVAILABLE', 'the address is taken', { reason: 'listen' });
    latest().tell({ kind: 'failed', failure: encodeFailure(why) });
    latest().end('exit code 1');
    await expect(started).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'the address is taken' });
    await settled();
    expect(spawned).toHaveLength(1);
  });

  it('is started again after pauses that grow with each failure, up to a bound', async () => {
    const { kept, latest, spawned, pauses, clock } = await serving();
    for (let n = 0; n < 10; n++) {
      latest().end('SIGKILL');
      await settled();
      expect(kept.standing).toEqual({ state: 'resting', restarts: n });
      const count = spawned.length;
      clock.advance((pauses.at(-1) ?? 0) - 1);
      await settled();
      expect(spawned).toHaveLength(count);
      clock.advance(1);
      await settled();
      expect(spawned).toHaveLength(count + 1);
    }
    expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  });

  it('has the shortest pause again once it has served for a minute', async () => {
    const { latest, pauses, clock } = await serving();
    for (const servedMs of [0, 60_000, 0]) {
      clock.advance(servedMs);
      latest().end('SIGKILL');
      await settled();
      clock.advance(pauses.at(-1) ?? 0);
      await settled();
      latest().tell({ kind: 'serving' });
    }
    expect(pauses).toEqual([200, 200, 400]);
  });

  it('answers and is asked, and whoever waits for one that ends is told so', async () => {
    const { kept, latest, clock } = await serving();
    latest().tell({ kind: 'asks', id: 7, question: 'status' });
    await settled();
    expect(latest().told.at(-1)).toEqual({ kind: 'answers', id: 7, answer: 'all of status' });
    const asked = kept.ask('metrics', 1000);
    const last = latest().told.at(-1);
    expect(last).toMatchObject({ kind: 'asks', question: 'metrics' });
    latest().tell({ kind: 'answers', id: last?.kind === 'asks' ? last.id : 0, answer: 42 });
    expect(await asked).toBe(42);
    const silent = kept.ask('status', 1000);
    clock.advance(1000);
    await expect(silent).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const waiting = kept.ask('status', 1000);
    latest().end('SIGKILL');
    await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(kept.ask('status', 1000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is killed where it does not serve in ten minutes, or does not stop in time, and is then left alone', async () => {
    const { kept, latest, spawned, clock, pauses } = await serving();
    latest().end('exit code 1');
    await settled();
    clock.advance(pauses.at(-1) ?? 0);
    await settled();
    const slow = latest();
    clock.advance(10 * 60_000);
    expect(slow.killed).toBe(true);
    await settled();
    clock.advance(pauses.at(-1) ?? 0);
    await settled();
    const last = latest();
    const stopping = kept.stop(1000);
    expect(last.told.at(-1)).toEqual({ kind: 'stop' });
    clock.advance(1000);
    expect(last.killed).toBe(false);
    clock.advance(5000);
    expect(last.killed).toBe(true);
    await stopping;
    expect([spawned.length, kept.standing.state]).toEqual([3, 'stopped']);
  });
});

describe('a kept process that serves', () => {
  const seconds = async ({ clock }: { clock: FakeClock }, count: number, each: () => void = () => {}) => {
    for (let n = 0; n < count; n++) {
      clock.advance(1_000);
      each();
      await settled();
    }
  };

  it('is killed and started again once it says nothing for half a minute', async () => {
    const world = await serving();
    const { latest, spawned, pauses, kept } = world;
    const hung = latest();
    await seconds(world, 29);
    expect(hung.killed).toBe(false);
    expect(hung.told.filter((message) => message.kind === 'asks' && message.question === 'alive')).toHaveLength(6);
    await seconds(world, 1);
    expect([hung.killed, kept.standing.state]).toEqual([true, 'resting']);
    await seconds(world, Math.ceil((pauses.at(-1) ?? 0) / 1_000));
    expect(spawned).toHaveLength(2);
    await seconds(world, 120);
    expect(latest().killed, 'one that is starting has longer').toBe(false);
  });

  it('is left alone while it says anything, however late its answers come', async () => {
    const world = await serving();
    for (let n = 0; n < 10; n++) {
      await seconds(world, 28);
      world.latest().tell({ kind: 'answers', id: 1, answer: true });
    }
    expect(world.latest().killed).toBe(false);
  });

  it('is not judged by what came while its supervisor itself stood still', async () => {
    const world = await serving();
    for (let n = 0; n < 20; n++) {
      world.clock.advance(60_000);
      await settled();
    }
    expect(world.latest().killed).toBe(false);
    await seconds(world, 30);
    expect(world.latest().killed).toBe(true);
  });
});

it('stops at once where it only waits to be started again', async () => {
  const { kept, latest, spawned } = await serving();
  latest().end('SIGKILL');
  await settled();
  await kept.stop(1000);
  expect(spawned).toHaveLength(1);
});

it('stops one that did not hear yet: what it was told by then is lost', async () => {
  const { kept, latest, clock } = await serving();
  latest().end('SIGKILL');
  await settled();
  clock.advance(200);
  await settled();
  const last = latest();
  const stopping = kept.stop(1000);
  last.tell({ kind: 'hears' });
  expect(last.told.map(({ kind }) => kind)).toEqual(['stop', 'stop']);
  last.end('exit code 0');
  await stopping;
});

it('is tried again where the machine has no room for it, and at the first start says so', async () => {
  const noRoom = new Error('spawn ENOMEM');
  const { latest, spawned, refusals, pauses, clock } = await serving();
  refusals.push(noRoom);
  latest().end('SIGKILL');
  await settled();
  clock.advance(200);
  await settled();
  expect([spawned.length, pauses]).toEqual([1, [200, 400]]);
  clock.advance(400);
  await settled();
  expect(spawned).toHaveLength(2);
  const first = keep();
  first.refusals.push(noRoom);
  await expect(first.kept.start()).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/ENOMEM/),
  });
});
