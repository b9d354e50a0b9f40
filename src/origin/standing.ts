import { MeridianError } from '../model/errors.ts';
import type { OriginId } from '../model/position.ts';
import type { Ledger } from '../replication/ledger.ts';
import { sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import {
  beginEpoch,
  keepIdentity,
  mayServe,
  type OriginIdentity,
  type Registering,
  registerAgain,
  type SelfDescription,
  unheardOf,
} from './founding.ts';

export interface StandingOptions extends Registering {
  readonly ledger: Ledger;
  readonly identity: OriginIdentity;
  readonly random: Random;
  readonly describe: () => SelfDescription;
  /** From now on it answers, writes, and serves its feed. */
  readonly begun: () => void;
}

/** Milliseconds between looks whether an origin that was admitted may serve; a change of the registry is noticed at once. */
const lookIntervalMs = 200;

/** Whether an origin may answer: not before it has caught up for the first time, and not when it lost its identity. */
export class Standing {
  readonly #options: StandingOptions;
  #identity: OriginIdentity;
  #serves = false;
  #ended: MeridianError | undefined;

  constructor(options: StandingOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  get clusterId(): string | undefined {
    return this.#identity.clusterId;
  }

  get serves(): boolean {
    return this.#serves && this.#ended === undefined;
  }

  /** Why it does not serve; unset while it does. */
  get reason(): string | undefined {
    if (this.#ended !== undefined) return this.#ended.message;
    if (this.#serves) return undefined;
    if (this.clusterId === undefined) return 'waiting for an origin of the cluster to admit this one';
    const { membership } = this.#options.ledger.registry;
    const unheard = this.#unheard.map((id) => {
      const { name, address } = membership.origin(id) ?? {};
      return `${name} (${id}, ${address === undefined ? 'no address known: name it with --peer' : `at ${address}`})`;
    });
    const waits = unheard.length === 0 ? '' : `; a majority must let it follow them, not yet: ${unheard.join(', ')}`;
    return `admitted to the cluster, and catching up${waits}`;
  }

  /** One that is joining has an identity, and what it holds counts. @throws UNAVAILABLE where it lost it */
  checkIdentity(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** @throws UNAVAILABLE */
  check(): void {
    this.checkIdentity();
    if (this.#serves) return;
    throw new MeridianError('UNAVAILABLE', `this origin does not serve yet: ${this.reason}`, {
      reason: 'joining',
      retryAfterMs: 1000,
    });
  }

  /** It takes and answers nothing more, whoever asks. */
  end(error: MeridianError): void {
    this.#ended ??= error;
  }

  /** A peer told its cluster. @throws FAILED_PRECONDITION where this origin's data are of another one */
  async join(clusterId: string): Promise<void> {
    if (clusterId === '')
      throw new MeridianError('UNAVAILABLE', 'the peer is of no cluster yet', { reason: 'no-cluster' });
    if (this.clusterId === clusterId) return;
    if (this.clusterId !== undefined) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `this origin's data are of cluster ${this.clusterId}, the peer is of ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    await this.#keep({ ...this.#identity, clusterId });
  }

  /** Begins at once where the store has begun before, or founds a cluster. */
  async start(): Promise<void> {
    if (this.#identity.begun || this.#identity.founds) await this.#begin();
  }

  /** Waits until this origin was admitted and covers what it must, then begins (rule R19), and stays registered so. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A disk that fails is opened again by the ledger, which has told of it; this is tried again.
      await this.#look().catch(() => {});
      await sleep(this.#options.clock, lookIntervalMs, signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { ledger, self, describe } = this.#options;
    const { membership } = ledger.registry;
    if (!this.#serves) {
      const may = mayServe(self, membership, ledger.state.covered) && this.#unheard.length === 0;
      if (may) await this.#begin();
    } else if (this.#ended === undefined && membership.origin(self)?.epochs.length === 0) {
      await registerAgain(this.#options, describe());
    }
  }

  get #unheard(): readonly OriginId[] {
    const { ledger, self, settlement } = this.#options;
    return unheardOf(self, ledger.registry.membership, settlement);
  }

  async #begin(): Promise<void> {
    await beginEpoch(this.#options, this.#options.describe(), this.#options.random);
    if (!this.#identity.begun) await this.#keep({ ...this.#identity, begun: true });
    this.#serves = true;
    this.#options.begun();
  }

  async #keep(identity: OriginIdentity): Promise<void> {
    await keepIdentity(this.#options.ledger, identity);
    this.#identity = identity;
  }
}
