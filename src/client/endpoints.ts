import { assert } from '../model/assert.ts';
import { isMeridianError, MeridianError, wasNeverBegun } from '../model/errors.ts';
import type { Mutation } from '../model/key-value.ts';
import type { RemoteNode } from './remote-node.ts';

/** Of one request, at the least: a connection that is just ending takes what was sent on it with it. */
const attemptsMin = 2;

/**
 * The nodes that a client may ask, in the user's order. It stays with the one that answered last and moves on when
 * that is unavailable. What failed so is asked again elsewhere, or at the only node over a new connection, where that
 * is safe:
 *
 * - a read always;
 * - any write that certainly did nothing there, as there was no connection, or the node stopped before it began the write;
 * - a write that needs a version (`isRepeatable`): it replaces that version, which never comes again, so it cannot be applied
 *   twice. Whatever the repetition is refused for, the first attempt may have been applied, and the failure says that
 *   nobody knows;
 * - no other write, not even the same put again: between both attempts another client may have written, and read its
 *   own write, which the second one would overwrite. Nor one that needs an absent key: another client may have deleted
 *   what the first attempt wrote, as a worker does to a job that is done, and the second one would bring it back.
 */
export class Endpoints {
  readonly #nodes: readonly RemoteNode[];
  #current = 0;

  constructor(nodes: readonly RemoteNode[]) {
    assert(nodes.length > 0, 'a client without endpoints');
    this.#nodes = nodes;
  }

  /** The node in use. */
  get current(): RemoteNode {
    const node = this.#nodes[this.#current];
    assert(node !== undefined, 'an endpoint in use');
    return node;
  }

  read<T>(ask: (node: RemoteNode) => Promise<T>): Promise<T> {
    return this.#each(ask, (error) => isMeridianError(error, 'UNAVAILABLE'));
  }

  async write<T>(ask: (node: RemoteNode) => Promise<T>, mutations: readonly Mutation[] = []): Promise<T> {
    const mayRepeat = isRepeatable(mutations);
    let first: unknown;
    const mayMoveOn = (error: unknown) => {
      if (wasNeverBegun(error)) return true;
      if (!mayRepeat || !isMeridianError(error, 'UNAVAILABLE')) return false;
      first ??= error;
      return true;
    };
    return this.#each(ask, mayMoveOn).catch((error: unknown) => {
      throw first !== undefined && saysNotDone(error) ? outcomeUnknown(error, first) : error;
    });
  }

  /**
   * A deadline passed at that node. If its connection was not even made, the next call goes elsewhere: calls that have less
   * time than a connection is waited for would else never learn that it is not there.
   */
  wasLate(node: RemoteNode): void {
    if (node.isConnected === false) this.moveOnFrom(node);
  }

  /** Leaves the node in use if it is still this one: others may have moved on already. */
  moveOnFrom(node: RemoteNode): void {
    if (this.current === node) this.#current = (this.#current + 1) % this.#nodes.length;
  }

  close(): void {
    for (const node of this.#nodes) node.close();
  }

  /** The common call is answered by the first that is asked, and pays for no more than one promise here. */
  #each<T>(ask: (node: RemoteNode) => Promise<T>, mayMoveOn: (error: unknown) => boolean, attempt = 1): Promise<T> {
    const node = this.current;
    return ask(node).catch((error: unknown) => {
      if (isMeridianError(error, 'DEADLINE_EXCEEDED')) this.wasLate(node);
      if (isMeridianError(error, 'UNAVAILABLE')) this.moveOnFrom(node);
      if (!mayMoveOn(error)) throw error;
      if (attempt >= Math.max(this.#nodes.length, attemptsMin)) throw error;
      return this.#each(ask, mayMoveOn, attempt + 1);
    });
  }
}

/** Whether the write cannot be applied twice: a batch is applied whole, so one such condition keeps all of it out. */
function isRepeatable(mutations: readonly Mutation[]): boolean {
  return mutations.some(({ condition }) => condition?.kind === 'version');
}

/**
 * Whether the failure means to its caller that the write was not done, as all do but these. One that asks for patience, too:
 * who comes back for it would find his own condition not met.
 */
function saysNotDone(error: unknown): error is MeridianError {
  if (!isMeridianError(error)) return false;
  const saysNothing = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL'].includes(error.code);
  return wasNeverBegun(error) || !saysNothing;
}

function outcomeUnknown({ code, message, details }: MeridianError, cause: unknown): MeridianError {
  const { versionFound } = details;
  const own = code === 'FAILED_PRECONDITION' ? '; it may be its own doing' : '; it may have been done';
  return new MeridianError(
    'UNAVAILABLE',
    `the connection broke before the write was answered, and when it was asked again: ${message}${own}`,
    { reason: 'outcome-unknown', cause, ...(versionFound === undefined ? {} : { versionFound }) },
  );
}
