import { isMeridianError } from '../model/errors.ts';
import type { Mutation } from '../model/key-value.ts';
import type { Client } from './client.ts';
import type { CommandSpec } from './commands/command.ts';
import { ok, type Reply, type RespError } from './protocol/reply.ts';

const bounds = { mutationsMax: 1000, bytesMax: 1024 * 1024 } as const;

export type Added = 'added' | 'full' | 'not-plain';

interface Command {
  readonly name: string;
  readonly mutations: readonly Mutation[];
  /** Undefined where the write answers it. */
  readonly refused: RespError | undefined;
}

/** Plain writes that follow each other on a connection, carried out as one. Those that are refused write nothing. */
export class WriteBatch {
  readonly #client: Client;
  #mutations = 0;
  readonly #commands: Command[] = [];
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
    const replies = await this.#replies(errorOf);
    for (const release of this.#releases) release();
    return this.#commands.map(({ name }, index) => [name, replies[index] ?? ok]);
  }

  async #replies(errorOf: (thrown: unknown) => RespError): Promise<Reply[]> {
    const begun = this.#commands.filter(({ refused }) => refused === undefined);
    const refusedAlone = ({ refused }: Command, reply: Reply) => refused ?? reply;
    try {
      await this.#write(begun);
      return this.#commands.map((command) => refusedAlone(command, ok));
    } catch (thrown) {
      if (begun.length < 2 || !isRefusal(thrown)) {
        const error = errorOf(thrown);
        return this.#commands.map((command) => refusedAlone(command, error));
      }
    }
    // Nothing was written, for what one of them asks: the others would be refused for it, as they happened to come together.
    const replies: Reply[] = [];
    for (const command of this.#commands) {
      const reply = command.refused ?? (await this.#write([command]).then(() => ok, errorOf));
      replies.push(reply);
    }
    return replies;
  }

  async #write(commands: readonly Command[]): Promise<void> {
    const mutations = commands.flatMap((command) => command.mutations);
    if (mutations.length > 0) await this.#client.within((call) => this.#client.write(mutations, call));
  }
}

/** Said of what is asked, before anything is written. */
function isRefusal(thrown: unknown): boolean {
  return isMeridianError(thrown, 'PERMISSION_DENIED') || isMeridianError(thrown, 'INVALID_ARGUMENT');
}
