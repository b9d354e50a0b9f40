import type { EdgeConfig } from '../../config/config.ts';
import { type MetricsJson, mergeMetrics } from '../../metrics/merged-metrics.ts';
import type { DrainProgress, NodeStatus } from '../../model/cluster.ts';
import { MeridianError } from '../../model/errors.ts';
import { Draining } from '../../runtime/draining.ts';
import type { Outside } from '../outside.ts';
import type { Question } from './dialogue.ts';
import { KeptProcess } from './kept-process.ts';
import { nameOf, type Part } from './messages.ts';
import { configOf, type SharedPorts } from './shares.ts';
import type { Spawn } from './spawn.ts';
import { type SeenProcess, statusOfAll } from './status-of-all.ts';

export interface EdgeProcessesOptions extends Outside {
  readonly config: EdgeConfig;
  readonly ports: SharedPorts;
  /** On which the keeper serves the workers. */
  readonly socket: string;
  readonly spawn: Spawn;
}

/** Milliseconds for one process to say how it is. */
const tellMs = 1_000;
/** Milliseconds for which what all said is told again: each worker's health service asks every second. */
const statusMsMax = 200;

interface Told {
  readonly atMs: number;
  readonly status: Promise<NodeStatus | undefined>;
}

/** The processes of an edge, and what they say together. */
export class EdgeProcesses {
  readonly #options: EdgeProcessesOptions;
  readonly #keeper: KeptProcess;
  readonly #workers: readonly KeptProcess[];
  #told: Told | undefined;
  #lastOfKeeper: NodeStatus | undefined;
  readonly #draining = new Draining();

  constructor(options: EdgeProcessesOptions) {
    this.#options = options;
    this.#keeper = this.#kept({ role: 'keeper' });
    this.#workers = Array.from({ length: options.config.workers }, (_, index) => {
      return this.#kept({ role: 'worker', number: index + 1 });
    });
  }

  /** Resolves once all serve. @throws why any could not; the others are to be stopped then */
  async start(): Promise<void> {
    await this.#keeper.start();
    await Promise.all(this.#workers.map((worker) => worker.start()));
  }

  /** The workers first, all at once: the keeper answers what they have under way. */
  async stop(): Promise<void> {
    const { drainTimeoutMs } = this.#options.config;
    await Promise.all(this.#workers.map((worker) => worker.stop(drainTimeoutMs)));
    await this.#keeper.stop(drainTimeoutMs);
  }

  /** Aborted where an administrator asked the edge to end. */
  get stopAsked(): AbortSignal {
    return this.#draining.stopAsked;
  }

  /** Every worker takes no new traffic from now on, one that is started again neither. Idempotent. */
  async drain(): Promise<DrainProgress> {
    this.#draining.begin();
    // One that is away has nothing under way.
    const all = await Promise.all(this.#workers.map((worker) => worker.ask('drain', tellMs).catch(() => undefined)));
    this.#told = undefined; // Of before: ready.
    return { calls: all.reduce<number>((sum, one) => sum + ((one as DrainProgress | undefined)?.calls ?? 0), 0) };
  }

  /** Undefined where no process says anything. */
  status(): Promise<NodeStatus | undefined> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#told === undefined || nowMs - this.#told.atMs > statusMsMax) {
      this.#told = { atMs: nowMs, status: this.#ask() };
    }
    return this.#told.status;
  }

  async #ask(): Promise<NodeStatus | undefined> {
    const seen = await Promise.all(
      this.#all().map(async (process): Promise<SeenProcess> => {
        const status = await process.ask('status', tellMs).catch(() => undefined);
        return {
          ...{ name: process.name, isKeeper: process === this.#keeper, standing: process.standing },
          ...(status === undefined ? {} : { status: status as NodeStatus }),
        };
      }),
    );
    this.#lastOfKeeper = seen.find(({ isKeeper }) => isKeeper)?.status ?? this.#lastOfKeeper;
    return statusOfAll(seen, this.#lastOfKeeper);
  }

  /** Of the processes that answer in time. */
  async #metrics(): Promise<{ readonly contentType: string; readonly text: string }> {
    const all = await Promise.all(this.#all().map((process) => process.ask('metrics', tellMs).catch(() => undefined)));
    return mergeMetrics(all.flatMap((metrics) => (metrics === undefined ? [] : [metrics as MetricsJson])));
  }

  #all(): readonly KeptProcess[] {
    return [this.#keeper, ...this.#workers];
  }

  async #answer(question: Question): Promise<unknown> {
    if (question === 'metrics') return this.#metrics();
    if (question === 'drain' || question === 'stop') {
      const progress = await this.drain();
      // The one that asks is told before it is stopped.
      if (question === 'stop') this.#options.clock.timer(0, () => this.#draining.askStop());
      return progress;
    }
    const status = await this.status();
    if (status !== undefined) return status;
    throw new MeridianError('UNAVAILABLE', 'no process of this edge says how it is', { reason: 'process-silent' });
  }

  #kept(part: Part): KeptProcess {
    const { config, ports, socket, spawn, ...outside } = this.#options;
    const draining = this.#draining;
    const process: KeptProcess = new KeptProcess({
      ...outside,
      name: nameOf(part),
      spawn: () => spawn(part),
      get start() {
        return {
          kind: 'start',
          part,
          socket,
          config: configOf(part, config, ports),
          isDrained: draining.hasBegun,
        } as const;
      },
      answer: (question) => this.#answer(question),
      // One that was told to start before the edge was drained has not heard of that.
      serves: () => {
        if (part.role === 'worker' && draining.hasBegun) process.ask('drain', tellMs).catch(() => {});
      },
    });
    return process;
  }
}
