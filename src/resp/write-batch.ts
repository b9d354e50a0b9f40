import type { Mutation } from '../model/key-value.ts';
import type { Client } from './client.ts';
import type { CommandSpec } from './commands/command.ts';
import { ok, type Reply, type RespError } from './protocol/reply.ts';

const bounds = { mutationsMax: 1000, bytesMax: 1024 * 1024 } as const;

export type Added = 'added' | 'full' | 'not-plain';

/** Plain writes that follow each other on a connection, carried out as one. Those that are refused write nothing. */
export class WriteBatch {
  readonly #client: Client;
  readonly #mutations: Mutation[] = [];
  /** One for each command; undefined for those that the write answers. */
  readonly #commands: Array<{ readonly name: string; readonly refused: RespError | undefined }> = [];
  readonly #releases: Array<() => void> = [];
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
    const isFull =
      this.#mutations.length + mutations.length > bounds.mutationsMax || this.#bytes + bytes > bounds.bytesMax;
    if (isFull && this.#commands.length > 0) return 'full';
    this.#mutations.push(...mutations);
    this.#bytes += bytes;
    this.#commands.push({ name: spec.name, refused });
    this.#releases.push(hand());
    return 'added';
  }

  /** Names of the commands, and a reply for each, in their order. Never rejects. */
  async write(errorOf: (thrown: unknown) => RespError): Promise<ReadonlyArray<readonly [name: string, reply: Reply]>> {
    let outcome: Reply = ok;
    try {
      const mutations = this.#mutations;
      if (mutations.length > 0) await this.#client.within((call) => this.#client.write(mutations, call));
    } catch (thrown) {
      outcome = errorOf(thrown);
    }
    for (const release of this.#releases) release();
    return this.#commands.map(({ name, refused }) => [name, refused ?? outcome]);
  }
}
