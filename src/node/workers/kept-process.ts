import { MeridianError, toMeridianError } from '../../model/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import { Dialogue, type Question } from './dialogue.ts';
import type { Addresses, FromProcess, ToProcess } from './messages.ts';
import { SignsOfLife } from './signs-of-life.ts';
import { decodeFailure } from './wire-failure.ts';

/** A process that runs, as its parent sees it. */
export interface SpawnedProcess {
  readonly pid: number;
  /** False where it is gone. */
  send(message: ToProcess): boolean;
  onMessage(run: (message: FromProcess) => void): void;
  kill(): void;
  /** Resolves once it has ended, with how: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
}

export interface KeptProcessOptions {
  /** For logs and status. */
  readonly name: string;
  readonly spawn: () => SpawnedProcess;
  /** What it is told once it hears. */
  readonly start: ToProcess;
  /** Answers what it asks. */
  readonly answer: (question: Question) => Promise<unknown>;
  /** Told each time that it begins to serve. Default: nobody is. */
  readonly serves?: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How a kept process is now. */
export interface Standing {
  readonly state: 'starting' | 'serving' | 'resting' | 'stopped';
  /** Unset while none runs. */
  readonly pid?: number;
  /** How often it was started again. */
  readonly restarts: number;
}

/** Milliseconds: one that does not serve after so long is killed. A large store may be verified first. */
const startMsMax = 10 * 60_000;
/** Pauses before a start, drawn from 0 up to a bound that doubles from the first to the last. */
const pauses = { firstMs: 200, mostMs: 30_000 } as const;
/** One that served for so long, in milliseconds, has the shortest pause again. */
const steadyMs = 60_000;
/** Milliseconds for a process to say that it is there. What comes later counts too. */
const aliveMs = 1_000;
/** Milliseconds beyond its own drain timeout that a process may take to stop. */
const stopGraceMs = 5_000;

/**
 * One process that is to run: started again whenever it ends, after a pause that grows with each failure in a row. One that
 * serves and says nothing any more is killed.
 *
 *     starting ──serving──▶ serving
 *        ▲  │                  │
 *        │  └──ends──▶ resting ◀─ends
 *        └────pause over──┘            stop: from any state, for good
 */
export class KeptProcess {
  readonly name: string;
  readonly #options: KeptProcessOptions;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #state: Standing['state'] = 'starting';
  #restarts = 0;
  #process: SpawnedProcess | undefined;
  #dialogue: Dialogue | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: KeptProcessOptions) {
    this.name = options.name;
    this.#options = options;
    this.#backoff = new Backoff(pauses, options.random);
  }

  get standing(): Standing {
    const pid = this.#process?.pid;
    return { state: this.#state, restarts: this.#restarts, ...(pid === undefined ? {} : { pid }) };
  }

  /** Resolves once it serves for the first time. @throws why it could not: it is not tried again then */
  async start(): Promise<Addresses> {
    let first: Addresses | undefined;
    let failure: MeridianError | undefined;
    await new Promise<void>((resolve) => {
      const served = (addresses: Addresses) => {
        first ??= addresses;
        resolve();
      };
      const failed = (why: MeridianError) => {
        failure = why;
        return first === undefined;
      };
      this.#running = this.#run(served, failed).finally(resolve);
    });
    if (first !== undefined) return first;
    throw failure ?? stopped(this.name);
  }

  /** @throws as `Dialogue.ask`; UNAVAILABLE while it does not serve */
  async ask(question: Question, withinMs: number): Promise<unknown> {
    if (this.#dialogue === undefined || this.#state !== 'serving') {
      throw new MeridianError('UNAVAILABLE', `the ${this.name} does not serve`, { reason: 'process-gone' });
    }
    return this.#dialogue.ask(question, withinMs);
  }

  /** Tells it to drain and end; kills one that takes longer than its drain timeout and a grace. Idempotent. */
  async stop(drainTimeoutMs: number): Promise<void> {
    this.#stopping.abort(stopped(this.name));
    const { clock, logger } = this.#options;
    const process = this.#process;
    if (process?.send({ kind: 'stop' }) === false) process.kill();
    const late = clock.timer(drainTimeoutMs + stopGraceMs, () => {
      logger.log('warn', 'a process of this edge did not stop in time: it is killed', { process: this.name });
      process?.kill();
    });
    await this.#running;
    late.cancel();
    this.#state = 'stopped';
  }

  /** Until it is stopped, or until `failed` says that it is not to be tried again. */
  async #run(served: (at: Addresses) => void, failed: (why: MeridianError) => boolean): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const why = await this.#runOnce(served);
      if (signal.aborted || failed(why)) return;
      this.#state = 'resting';
      const pauseMs = this.#backoff.nextMs();
      const fields = { process: this.name, error: why.message, pauseMs };
      logger.log('error', 'a process of this edge ended: it is started again', fields);
      await sleep(clock, pauseMs, signal).catch(() => {});
      this.#restarts++;
    }
  }

  /** A machine without memory for one more process throws; one that has no number left for it tells by its end. */
  #spawn(): SpawnedProcess | MeridianError {
    const { name, spawn } = this.#options;
    try {
      return spawn();
    } catch (cause) {
      const message = `the ${name} cannot be started: ${toMeridianError(cause).message}`;
      return new MeridianError('UNAVAILABLE', message, { reason: 'process-ended', cause });
    }
  }

  /** Resolves once it has ended, with why. */
  async #runOnce(served: (at: Addresses) => void): Promise<MeridianError> {
    const { clock, start, answer, name } = this.#options;
    const process = this.#spawn();
    if (process instanceof MeridianError) return process;
    const dialogue = new Dialogue({ clock, answer, send: (message) => process.send(message) });
    this.#process = process;
    this.#dialogue = dialogue;
    this.#state = 'starting';
    let said: MeridianError | undefined;
    let servesSinceMs = Number.POSITIVE_INFINITY;
    const life = this.#signsOfLife(process, dialogue);
    const late = clock.timer(startMsMax, () => process.kill());
    process.onMessage((message) => {
      life.heard();
      // A stop that came before it heard was lost.
      if (message.kind === 'hears') process.send(this.#stopping.signal.aborted ? { kind: 'stop' } : start);
      else if (message.kind === 'failed') said = decodeFailure(message.failure);
      else if (message.kind === 'serving') {
        late.cancel();
        servesSinceMs = clock.monotonicMs();
        this.#state = 'serving';
        life.begin();
        served(message);
        this.#options.serves?.();
      } else dialogue.take(message);
    });
    const how = await process.ended;
    late.cancel();
    life.end();
    dialogue.end();
    this.#process = undefined;
    this.#dialogue = undefined;
    if (clock.monotonicMs() - servesSinceMs >= steadyMs) this.#backoff.succeeded();
    const message = `the ${name} ended: ${how}`;
    return said ?? new MeridianError('UNAVAILABLE', message, { reason: 'process-ended' });
  }

  #signsOfLife(process: SpawnedProcess, dialogue: Dialogue): SignsOfLife {
    const { clock, logger, name } = this.#options;
    return new SignsOfLife({
      clock,
      ask: () => void dialogue.ask('alive', aliveMs).catch(() => {}),
      silent: (silentMs) => {
        const told = { process: name, pid: process.pid, silentMs };
        logger.log('error', 'a process of this edge hangs: it is killed', told);
        process.kill();
      },
    });
  }
}

function stopped(name: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `the ${name} was stopped`, { reason: 'stopping' });
}
