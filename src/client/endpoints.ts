import { assert } from '../model/assert.ts';
import { isMeridianError } from '../model/errors.ts';
import type { RemoteNode } from './remote-node.ts';

/** Of one request, at the least: a connection that is just ending takes what was sent on it with it. */
const attemptsMin = 2;

/**
 * The nodes that a client may ask, in the user's order. It stays with the one that answered last and moves on when
 * that is unavailable. Reads are asked again elsewhere, or at the only node over a new connection; a write only where
 * it certainly did nothing there, for otherwise it might be applied twice, with another client's write between.
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

  write<T>(ask: (node: RemoteNode) => Promise<T>): Promise<T> {
    return this.#each(ask, neverSent);
  }

  /** Leaves the node in use if it is still this one: others may have moved on already. */
  moveOnFrom(node: RemoteNode): void {
    if (this.current === node) this.#current = (this.#current + 1) % this.#nodes.length;
  }

  close(): void {
    for (const node of this.#nodes) node.close();
  }

  async #each<T>(ask: (node: RemoteNode) => Promise<T>, mayMoveOn: (error: unknown) => boolean): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const node = this.current;
      try {
        return await ask(node);
      } catch (error) {
        if (!mayMoveOn(error)) throw error;
        this.moveOnFrom(node);
        if (attempt >= Math.max(this.#nodes.length, attemptsMin)) throw error;
      }
    }
  }
}

function neverSent(error: unknown): boolean {
  return isMeridianError(error, 'UNAVAILABLE') && error.details.reason === 'not-connected';
}
