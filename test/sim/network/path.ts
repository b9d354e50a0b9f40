import { MeridianError } from '../../../src/model/errors.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Process } from '../nodes/process.ts';
import { Connection, type Direction } from './connection.ts';

export interface PathOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  /** Who opens the connections; a client of the cluster is nobody's process. */
  readonly near?: Process<unknown>;
  readonly far: Process<unknown>;
}

/** Milliseconds of silence after which either end takes a connection for lost. */
const keepAliveMs = 250;

/**
 * The network between two nodes. What is sent in a direction that is silent waits, as TCP would send it again: it
 * arrives late if the silence ends in time, and never if the keep-alive passes first.
 */
export class Path {
  readonly time: VirtualTime;
  /** Milliseconds that a message takes, about. */
  latencyMs: number;
  /** Milliseconds that the near end takes to read an event. */
  slowMs = 0;
  /** Milliseconds by which answers of calls come later than events of feeds. */
  slowAnswersMs = 0;
  readonly #random: SeededRandom;
  readonly #silent = new Set<Direction>();
  readonly #connections = new Set<Connection>();
  #changed: Array<() => void> = [];
  #refuses = false;

  constructor({ time, random, near, far }: PathOptions) {
    this.time = time;
    this.#random = random;
    this.latencyMs = 0.5 + random.fraction() * 8;
    for (const end of [near, far]) end?.onCrash((how) => this.#ended(how));
  }

  /** A direction falls silent, or both; with `reset` every connection is torn down at once and no new one opens. */
  cut(directions: readonly Direction[], how: 'silent' | 'reset' = 'silent'): void {
    for (const direction of directions) this.#silent.add(direction);
    this.#refuses = how === 'reset';
    if (how === 'reset') this.#sever();
    else this.#severUnlessMended();
  }

  mend(): void {
    this.#silent.clear();
    this.#refuses = false;
    const waiting = this.#changed.splice(0);
    for (const run of waiting) run();
  }

  connect(): Connection {
    if (this.#refuses) throw lost();
    const connection: Connection = new Connection(this, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    if (this.#silent.size > 0) this.#severUnlessMended();
    return connection;
  }

  /** Milliseconds that the next message takes. */
  delayMs(): number {
    return this.latencyMs * (0.6 + this.#random.fraction() * 0.8);
  }

  isSilent(direction: Direction): boolean {
    return this.#silent.has(direction);
  }

  onceMended(run: () => void): void {
    this.#changed.push(run);
  }

  /** A process that dies takes its connections along; a machine that loses power says nothing. */
  #ended(how: 'process' | 'power'): void {
    const ending = [...this.#connections];
    for (const connection of ending) connection.die();
    this.time.at(how === 'power' ? keepAliveMs : this.latencyMs, () => {
      for (const connection of ending) connection.end(lost());
    });
  }

  #severUnlessMended(): void {
    let mended = false;
    const ending = [...this.#connections];
    this.onceMended(() => {
      mended = true;
    });
    this.time.at(keepAliveMs, () => {
      if (!mended) for (const connection of ending) connection.end(lost());
    });
  }

  #sever(): void {
    for (const connection of [...this.#connections]) connection.end(lost());
  }
}

export function lost(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the connection is gone', { reason: 'connection' });
}
