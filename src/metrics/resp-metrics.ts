import { Counter, Gauge, type Registry } from 'prom-client';
import type { RespObserver } from '../resp/observer.ts';
import { BoundedLabel, reasonsMax } from './bounded-label.ts';

/**
 * What the Redis listener answers. Commands are counted in plain numbers and shown when they are scraped: finding a series
 * by its labels takes as long as reading a value does.
 */
export class RespMetrics implements RespObserver {
  readonly #commands = new Map<string, { ok: number; error: number }>();
  readonly #rejected: Counter;
  readonly #connections: Gauge;
  readonly #reasons = new BoundedLabel(reasonsMax);

  constructor(registry: Registry) {
    const registers = [registry];
    const commands = this.#commands;
    new Counter({
      name: 'meridian_redis_commands_total',
      help: 'Commands answered at the Redis listener, by name.',
      labelNames: ['command', 'outcome'],
      registers,
      collect() {
        this.reset();
        for (const [command, { ok, error }] of commands) {
          this.inc({ command, outcome: 'ok' }, ok);
          this.inc({ command, outcome: 'error' }, error);
        }
      },
    });
    this.#rejected = new Counter({
      name: 'meridian_redis_rejected_total',
      help: 'Commands answered with an error and connections turned away or cut at the Redis listener, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#connections = new Gauge({
      name: 'meridian_redis_connections',
      help: 'Open connections of the Redis listener.',
      registers,
    });
  }

  answered(command: string, outcome: 'ok' | 'error'): void {
    let counts = this.#commands.get(command);
    if (counts === undefined) {
      counts = { ok: 0, error: 0 };
      this.#commands.set(command, counts);
    }
    counts[outcome]++;
  }

  rejected(reason: string): void {
    this.#rejected.inc({ reason: this.#reasons.of(reason) });
  }

  connected(count: number): void {
    this.#connections.set(count);
  }
}
