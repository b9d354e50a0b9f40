import type { Call } from '../model/call.ts';
import type { Durability } from '../model/key-value.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import { checkText } from '../model/text.ts';
import { type ClientContext, inCall } from './call-frame.ts';
import type { CallOptions } from './call-options.ts';
import type { RemoteNode } from './remote-node.ts';

/** A namespace as a change left it, and the level that the change reached before the call's deadline. */
export type ChangedNamespace = NamespaceInfo & { readonly durability: Durability };

/** Makes, finds, renames and deletes namespaces. Names are titles or ids; titles are unique. */
export class NamespaceAdmin {
  readonly #context: ClientContext;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** @throws ALREADY_EXISTS where the title is taken; INVALID_ARGUMENT unless it has 1 to 512 bytes */
  create(title: string, options: CallOptions = {}): Promise<ChangedNamespace> {
    return this.#change(options, (node, call) => node.create(checked(title), call));
  }

  /** @throws NOT_FOUND */
  get(name: string, options: CallOptions = {}): Promise<NamespaceInfo> {
    return this.#ask(options, (node, call) => node.find(checked(name), call, this.#context.session.namespaces));
  }

  /** All of them, by title. */
  list(options: CallOptions = {}): Promise<readonly NamespaceInfo[]> {
    return this.#ask(options, (node, call) => node.namespaces(call));
  }

  /** @throws NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT */
  rename(name: string, title: string, options: CallOptions = {}): Promise<ChangedNamespace> {
    return this.#change(options, (node, call) => node.rename(checked(name), checked(title), call));
  }

  /** The title is free at once; the data go away in the background. @throws NOT_FOUND */
  delete(name: string, options: CallOptions = {}): Promise<ChangedNamespace> {
    return this.#change(options, (node, call) => node.remove(checked(name), call));
  }

  /** Moves where conditional writes are decided to the origin of this name or id. @throws NOT_FOUND, UNAVAILABLE */
  moveHome(name: string, origin: string, options: CallOptions = {}): Promise<ChangedNamespace> {
    return this.#change(options, (node, call) => node.moveHome(checked(name), checked(origin), call));
  }

  async #change(
    options: CallOptions,
    ask: (node: RemoteNode, call: Call) => Promise<NamespaceChange>,
  ): Promise<ChangedNamespace> {
    const { endpoints } = this.#context;
    const { namespace, session, durability } = await inCall(this.#context, options, (call) => {
      return endpoints.write((node) => ask(node, call));
    });
    this.#context.session.changed(session);
    return { ...namespace, durability };
  }

  async #ask<T>(options: CallOptions, ask: (node: RemoteNode, call: Call) => Promise<T>): Promise<T> {
    return inCall(this.#context, options, (call) => this.#context.endpoints.read((node) => ask(node, call)));
  }
}

function checked(name: string): string {
  checkText(name, 'a name');
  return name;
}
