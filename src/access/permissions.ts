import type { Call } from '../model/call.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import type { FollowOpen } from '../model/feed.ts';
import type { KeyRange } from '../model/filter.ts';
import {
  type NamespaceId,
  type NamespaceInfo,
  namespaceIdIn,
  parseNamespaceId,
  registryNamespace,
} from '../model/namespace.ts';
import type { Session } from '../model/session.ts';
import { namesNamespace, namesTitle, type Right, type TokenScope } from '../model/token.ts';
import type { Grant, TokenSource } from './grant.ts';

type Find = (name: string, call: Call, session?: Session) => Promise<NamespaceInfo>;

/** A name as it comes with a request, and what the request has seen. */
interface Named {
  readonly namespace: string;
  readonly session?: Session;
}

const anyRight: readonly Right[] = ['read', 'write', 'list', 'watch', 'replicate', 'admin'];

/**
 * What one grant permits. A pattern speaks of titles, or is one id; a request names a namespace by either. So a title is
 * held against titles as it stands, since it means whatever has that title when the request is served. An id is looked
 * up, and a title that is held against an id: then the id is what the request goes on with, so that what was checked is
 * what is used. Each check returns the name to go on with.
 */
export class Permissions {
  readonly #grant: Grant;
  readonly #source: TokenSource;
  readonly #find: Find;
  /** What upstreams said of names that the registry here has yet to hear of. */
  readonly #found = new Map<NamespaceId, NamespaceInfo>();

  constructor(grant: Grant, source: TokenSource, find: Find) {
    this.#grant = grant;
    this.#source = source;
    this.#find = find;
  }

  /** One key of a namespace, for any of the rights. @throws PERMISSION_DENIED, UNAUTHENTICATED */
  key(any: readonly Right[], request: Named & { readonly key: string }, call: Call): Promise<string> | string {
    const scope = this.#having(any);
    if (!request.key.startsWith(scope.prefix)) throw this.#outside(any, `keys that do not begin with ${scope.prefix}`);
    return this.#namespace(any, scope, request, call);
  }

  /** As `key`, and undefined where that is not decided at once, or is refused. Throws nothing. */
  keyAtOnce(any: readonly Right[], { namespace, key }: Named & { readonly key: string }): string | undefined {
    try {
      const scope = this.#having(any);
      return key.startsWith(scope.prefix) ? this.#knownNamespace(any, scope, namespace) : undefined;
    } catch {
      return undefined; // `key` will say why.
    }
  }

  /** All keys of a batch. @throws as `key` */
  keys(
    any: readonly Right[],
    request: Named & { readonly mutations: ReadonlyArray<{ readonly key: string }> },
    call: Call,
  ): Promise<string> | string {
    const scope = this.#having(any);
    const isWithin = request.mutations.every(({ key }) => key.startsWith(scope.prefix));
    if (!isWithin) throw this.#outside(any, `keys that do not begin with ${scope.prefix}`);
    return this.#namespace(any, scope, request, call);
  }

  /** All keys with a prefix, which must lie within the token's own: nothing is left out of a list without a word. */
  prefix(any: readonly Right[], request: Named & { readonly prefix: string }, call: Call): Promise<string> | string {
    const scope = this.#having(any);
    if (!request.prefix.startsWith(scope.prefix)) {
      throw this.#outside(any, `prefixes that do not begin with ${scope.prefix}`);
    }
    return this.#namespace(any, scope, request, call);
  }

  /** The namespace itself, with all its keys. @throws as `key` */
  whole(name: string, call: Call): Promise<string> | string {
    return this.prefix(['admin'], { namespace: name, prefix: '' }, call);
  }

  /** That a namespace may get this title. A token of one id makes no titles: they would take others' places. */
  title(title: string): void {
    const { namespace: pattern, prefix } = this.#having(['admin']);
    if (prefix !== '' || parseNamespaceId(pattern) !== undefined || !namesTitle(pattern, title)) {
      throw this.#outside(['admin'], `the title ${title}`);
    }
  }

  /** What a name means, told to whoever may use the namespace. @throws NOT_FOUND only where the name is in scope */
  found(name: string, call: Call, session?: Session): Promise<NamespaceInfo> {
    return this.#foundFor(anyRight, name, call, session);
  }

  sees(namespace: NamespaceInfo): boolean {
    return namesNamespace(this.#having(anyRight).namespace, namespace);
  }

  /** Whether the key may be shown: to whoever could read or list it. */
  mayKnow({
    namespace,
    title,
    key,
  }: {
    readonly namespace: NamespaceId;
    readonly title: string;
    readonly key: string;
  }) {
    const scope = this.#grant.scope();
    const isKnown = scope.rights.includes('read') || scope.rights.includes('list');
    return isKnown && namesNamespace(scope.namespace, { id: namespace, title }) && key.startsWith(scope.prefix);
  }

  /** Whether titles of any namespace may be shown. */
  mayKnowTitles(): boolean {
    return this.#grant.scope().namespace === '*';
  }

  status(): void {
    this.#having(['status', 'replicate', 'admin']);
  }

  /** Each of the rights, on all there is. */
  everything(all: readonly Right[]): void {
    for (const right of all) this.anyOnEverything([right]);
  }

  anyOnEverything(any: readonly Right[]): void {
    const { namespace, prefix } = this.#having(any);
    if (namespace !== '*' || prefix !== '') throw this.#outside(any, 'all namespaces');
  }

  /**
   * A stream of the feed. Whoever follows as an origin is followed in turn, and so writes whatever he likes, tokens too:
   * that takes the right to administer.
   */
  follow({ role, filter }: Pick<FollowOpen, 'role' | 'filter'>): void {
    if (role === 'peer') {
      this.everything(['replicate', 'admin']);
      return;
    }
    const any: readonly Right[] = role === 'watch' ? ['watch', 'replicate'] : ['replicate'];
    const scope = this.#having(any);
    for (const range of filter.includes) {
      if (!this.#mayFollow(range, scope)) throw this.#outside(any, this.#described(range, scope));
    }
  }

  #mayFollow({ namespace, prefix }: KeyRange, scope: TokenScope): boolean {
    // Every namespace: the registry too, with all that it says of tokens.
    if (namespace === '*') return scope.namespace === '*' && scope.prefix === '' && scope.rights.includes('replicate');
    if (namespace === registryNamespace) {
      // A copy or a cache is given the registry whole in any case; a watch asks for the end of its namespace alone.
      const id = namespaceIdIn(prefix);
      return scope.rights.includes('replicate') || (id !== undefined && this.#isInScope(id, scope));
    }
    return prefix.startsWith(scope.prefix) && this.#isInScope(namespace, scope);
  }

  /** What was asked for, in the words of whoever asked, and for all of it how to ask for less. */
  #described({ namespace, prefix }: KeyRange, scope: TokenScope): string {
    if (namespace !== '*') return `the namespace ${namespace}${prefix === '' ? '' : ` from the prefix ${prefix} on`}`;
    const reach = `${scope.namespace}${scope.prefix === '' ? '' : `/${scope.prefix}*`}`;
    return `all namespaces, but ${reach}: an edge says so with --cache '${reach}'`;
  }

  #isInScope(id: NamespaceId, { namespace: pattern }: TokenScope): boolean {
    if (pattern === '*' || pattern === id) return true;
    const known = this.#source.namespace(id) ?? this.#found.get(id);
    return known !== undefined && namesNamespace(pattern, known);
  }

  /** The scope, where it has any of the rights. */
  #having(any: readonly Right[]): TokenScope {
    const scope = this.#grant.scope();
    if (any.some((right) => scope.rights.includes(right))) return scope;
    const [right] = any;
    throw new MeridianError('PERMISSION_DENIED', `${this.#grant.label} has no right to ${right}`, {
      reason: 'right-missing',
    });
  }

  #namespace(any: readonly Right[], scope: TokenScope, named: Named, call: Call): Promise<string> | string {
    const { namespace: name, session } = named;
    const known = this.#knownNamespace(any, scope, name);
    if (known !== undefined) return known;
    return this.#foundFor(any, name, call, session).then(({ id }) => id);
  }

  /** Refused in the same words whether there is such a namespace or not: the words would tell which there are. */
  async #foundFor(any: readonly Right[], name: string, call: Call, session?: Session): Promise<NamespaceInfo> {
    const scope = this.#having(any);
    const found = await this.#find(name, call, session).catch((error: unknown) => {
      const mayKnow = namesTitle(scope.namespace, name) || !isMeridianError(error, 'NOT_FOUND');
      throw mayKnow ? error : this.#outside(any, `the namespace ${name}`);
    });
    // The token may have ended while the name was asked for.
    this.#checked(any, this.#having(any), name, found);
    this.#found.set(found.id, found);
    return found;
  }

  /** Undefined where what the name means must be asked for. @throws PERMISSION_DENIED */
  #knownNamespace(any: readonly Right[], scope: TokenScope, name: string): string | undefined {
    const { namespace: pattern } = scope;
    if (name === registryNamespace) throw this.#outside(any, 'the registry');
    if (pattern === '*' || pattern === name) return name;
    const isId = parseNamespaceId(name) !== undefined;
    const isPatternId = parseNamespaceId(pattern) !== undefined;
    if (!isId && !isPatternId && namesTitle(pattern, name)) return name;
    if (isId === isPatternId) throw this.#outside(any, `the namespace ${name}`);
    const known = this.#source.namespace(name);
    return known === undefined ? undefined : this.#checked(any, scope, name, known);
  }

  #checked(any: readonly Right[], { namespace: pattern }: TokenScope, name: string, found: NamespaceInfo): string {
    if (namesNamespace(pattern, found)) return found.id;
    throw this.#outside(any, `the namespace ${name}`);
  }

  #outside([right]: readonly Right[], what: string): MeridianError {
    return new MeridianError('PERMISSION_DENIED', `${this.#grant.label} may not ${right} ${what}`, {
      reason: 'out-of-scope',
    });
  }
}
