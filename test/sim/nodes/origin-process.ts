import { type OriginId, parseOriginId } from '../../../src/model/position.ts';
import { Origin } from '../../../src/origin/origin.ts';
import { originDefaults } from '../../../src/origin/origin-options.ts';
import type { MemoryStore } from '../../support/memory-store.ts';
import type { VirtualClock } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Parameters } from './parameters.ts';
import { Process, type World } from './process.ts';
import type { OriginPlan } from './topology.ts';

export class OriginProcess extends Process<Origin> {
  readonly #parameters: Parameters;
  readonly #coverage: Coverage;
  #id: OriginId | undefined;

  constructor({ name }: OriginPlan, world: World, parameters: Parameters, coverage: Coverage) {
    super(name, world, { disks: 1, syncMsMax: parameters.syncMsMax });
    this.#parameters = parameters;
    this.#coverage = coverage;
  }

  /** Of its last life; undefined before the first. */
  get id(): OriginId | undefined {
    return this.#id;
  }

  protected async open(clock: VirtualClock, [store]: readonly MemoryStore[]): Promise<Origin> {
    if (store === undefined) throw new Error('an origin has a disk');
    const origin = await Origin.open({
      ...originDefaults,
      ...this.#parameters,
      store,
      clock,
      random: this.random,
      observer: this.#coverage.replication('origin'),
      originObserver: this.#coverage.origin(),
      name: this.name,
      region: 'r',
      version: 'sim',
      durability: 'local',
    });
    this.#id = parseOriginId(origin.identity.id);
    return origin;
  }
}
