import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Mutation } from '../model/key-value.ts';
import type { Client } from './client.ts';
import type { CommandSpec } from './commands/command.ts';
import { ok, type Reply, type RespError } from './protocol/reply.ts';

const bounds = { mutationsMax: 1000, bytesMax: 1024 * 1024 } as const;

export type Added = 'added' | 'full' | 'not-plain';

interface Taken {
  readonly name: string;
  readonly mutations: readonly Mutation[];
  /** Why it is answered by itself, and writes nothing. */
  readonly refused: RespError | undefined;
}

/** Why a write is refused before anything of it is done, which may be for one of its commands alone. */
const refusals: ReadonlySet<string> = new Set(['PERMISSION_DENIED', 'INVALID_ARGUMENT']);

/**
 * Plain writes that follow each other on a connection, carried out as one where they can be. Each is answered for itself: one
 * that is refused writes nothing, and keeps no other one from being written.
 */
export class WriteBatch {
  readonly #client: Client;
  readonly #commands: Taken[] = [];
  readonly #releases: Array<() => void> = [];
  #mutations = 0;
  #bytes = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * `full` where it must wait for the next batch, `not-plain` where the command must look at what is there first.
   * @param hand gives the room that the command holds
   */
  add(
    spec: CommandSpec & { readonly order: 'write' },
    args: readonly Buffer[],
    { errorOf, hand }: { readonly errorOf: (thrown: unknown) => RespError; readonly hand: () => () => void },
  ): Added {
    let mutations: readonly Mutation[] | undefined = [];
    let refused: RespError | undefined;
    try {
      mutations = spec.mutations(this.#client, args);
    } catch (thrown) {
      refused = errorOf(thrown);
    }
    if (mutations === undefined) return 'not-plain';
    const bytes = mutations.reduce((sum, one) => sum + (one.kind === 'put' ? one.value.byteLength : 0), 0);
    const isFull = this.#mutations + mutations.length > bounds.mutationsMax || this.#bytes + bytes > bounds.bytesMax;
    if (isFull && this.#commands.length > 0) return 'full';
    this.#mutations += mutations.length;
    this.#bytes += bytes;
    this.#commands.push({ name: spec.name, mutations, refused });
    this.#releases.push(hand());
    return 'added';
  }

  /** Names of the commands, and a reply for each, in their order. Never rejects. */
  async write(errorOf: (thrown: unknown) => RespError): Promise<ReadonlyArray<readonly [name: string, reply: Reply]>> {
    const outcomes = await this.#client.within((call) => this.#outcomes(this.#commands, call, errorOf));
    for (const release of this.#releases) release();
    return this.#commands.map(({ name, refused }, index) => [name, refused ?? outcomes[index] ?? ok]);
  }

  /** Where it is refused, its two halves are asked for, one after the other: the few that are at fault are found in few steps. */
  async #outcomes(
    commands: readonly Taken[],
    call: Call,
    errorOf: (thrown: unknown) => RespError,
  ): Promise<readonly Reply[]> {
    const mutations = commands.flatMap((command) => command.mutations);
    try {
      if (mutations.length > 0) await this.#client.write(mutations, call);
      return commands.map(() => ok);
    } catch (thrown) {
      if (commands.length > 1 && thrown instanceof MeridianError && refusals.has(thrown.code)) {
        const half = Math.ceil(commands.length / 2);
        const first = await this.#outcomes(commands.slice(0, half), call, errorOf);
        return [...first, ...(await this.#outcomes(commands.slice(half), call, errorOf))];
      }
      const outcome = errorOf(thrown);
      return commands.map(() => outcome);
    }
  }
}
