import { MeridianError } from '../model/errors.ts';
import type { PutMutation, Written } from '../model/key-value.ts';
import { checkTitle, type NamespaceId, type NamespaceInfo, registryNamespace } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import { type MemberId, nowhere, type Position } from '../model/position.ts';
import { isReadable } from '../model/record.ts';
import { emptySession, sessionAfterRecord } from '../model/session.ts';
import { bottomStamp, type Stamp } from '../model/stamp.ts';
import type { CommitView } from '../replication/ledger.ts';
import { memberKeys } from '../replication/members.ts';
import { type Registry, registryKeys, unknownNamespace } from '../replication/registry.ts';
import type { Random } from '../runtime/random.ts';
import type { Homes } from './homes.ts';
import type { Draft, Writer } from './writer.ts';

export interface NamespaceWriterOptions {
  readonly writer: Writer;
  readonly homes: Homes;
  readonly registry: Registry;
  readonly random: Random;
  readonly self: MemberId;
}

/** A change on this origin's disk. */
export type CommittedChange = Omit<NamespaceChange, 'durability'> & {
  /** The position of its last write. */
  readonly position: Position;
};

/** Creates, renames and removes namespaces: batches of the registry whose conditions keep titles unique. */
export class NamespaceWriter {
  readonly #options: NamespaceWriterOptions;

  constructor(options: NamespaceWriterOptions) {
    this.#options = options;
  }

  create(title: string): Promise<CommittedChange> {
    checkTitle(title);
    const namespace = { id: this.#options.random.hex(16) as NamespaceId, title, home: this.#options.self };
    return this.#commit(namespace, [claim(namespace), describe(namespace)], (view) => this.#checkFree(title, view));
  }

  rename(name: string, title: string): Promise<CommittedChange> {
    checkTitle(title);
    const { before, check } = this.#asKnown(name);
    if (before.title === title) return this.#commit(before, [describe(before)], check);
    const namespace = { ...before, title };
    return this.#commit(namespace, [release(before), claim(namespace), describe(namespace)], (view) => {
      check(view);
      this.#checkFree(title, view);
    });
  }

  remove(name: string): Promise<CommittedChange> {
    const { before, check } = this.#asKnown(name);
    const gone: Draft = {
      namespace: registryNamespace,
      mutation: { kind: 'delete', key: registryKeys.namespace(before.id) },
    };
    return this.#commit(before, [release(before), gone], check);
  }

  /** A namespace as it is known before the commit, and a check that the commit finds it unchanged. @throws NOT_FOUND */
  #asKnown(name: string): { readonly before: NamespaceInfo; readonly check: (view: CommitView) => void } {
    const { registry } = this.#options;
    const before = registry.require(name);
    const stamp = registry.stampOf(before.id);
    return { before, check: (view) => checkUnchanged(before, stamp, view) };
  }

  /**
   * Looks at the registry as it will be when this is committed. The writer reads only the heads of the drafts' keys,
   * and each draft that matters here has the key that is looked at. A title that no namespace goes by is free.
   */
  #checkFree(title: string, view: CommitView): void {
    const held = view.head({ namespace: registryNamespace, key: registryKeys.title(title) });
    if (!isReadable(held, 0)) return;
    if (held.stamp === this.#options.registry.staleClaim(title, view.state.covered)) return;
    throw new MeridianError('ALREADY_EXISTS', `a namespace with the title ${title} exists already`, {
      reason: 'title-taken',
    });
  }

  /** Moves the home that decides a namespace's conditional writes. Call it at the present home. */
  move(name: string, home: MemberId): Promise<CommittedChange> {
    const { homes, registry, writer } = this.#options;
    const before = registry.require(name);
    const drafts = [put(memberKeys.home(before.id), { home })];
    return homes.leaving(before, async (begin) => {
      const written = await writer.commit(drafts, bottomStamp, () => {
        // Checked as it is decided: another move may have come before.
        homes.checkAtHome(registry.require(before.id));
        begin();
      });
      return changed({ ...before, home }, written);
    });
  }

  async #commit(
    namespace: NamespaceInfo,
    drafts: readonly Draft[],
    check: (view: CommitView) => void,
  ): Promise<CommittedChange> {
    const { writer, homes } = this.#options;
    const written = await writer.commit(drafts, bottomStamp, (view) => {
      homes.checkAtRegistryHome();
      check(view);
    });
    return changed(namespace, written);
  }
}

function changed(namespace: NamespaceInfo, written: readonly Written[]): CommittedChange {
  const session = written.reduce((s, { position, stamp }) => sessionAfterRecord(s, position, stamp), emptySession);
  return { namespace, session, position: written.at(-1)?.position ?? nowhere };
}
function put(key: string, value: unknown): Draft {
  const mutation: PutMutation = { kind: 'put', key, value: Buffer.from(JSON.stringify(value)) };
  return { namespace: registryNamespace, mutation };
}

function claim({ id, title }: NamespaceInfo): Draft {
  return put(registryKeys.title(title), { id });
}

function describe({ id, title, home }: NamespaceInfo): Draft {
  return put(registryKeys.namespace(id), { title, home });
}

function release({ title }: NamespaceInfo): Draft {
  return { namespace: registryNamespace, mutation: { kind: 'delete', key: registryKeys.title(title) } };
}

/** Another change of the same group may have given it another title, which would be the one to release. */
function checkUnchanged({ id, title }: NamespaceInfo, known: Stamp | undefined, view: CommitView): void {
  const held = view.head({ namespace: registryNamespace, key: registryKeys.namespace(id) });
  if (!isReadable(held, 0)) throw unknownNamespace(title);
  if (held.stamp === known) return;
  throw new MeridianError('UNAVAILABLE', `the namespace ${title} was changed meanwhile; ask again`, {
    reason: 'namespace-moved',
    retryAfterMs: 0,
  });
}
