import { isMeridianError, MeridianError } from '../model/errors.ts';
import type { CaughtUp, Changes, Opened } from '../model/feed.ts';
import { joinVectors } from '../model/version-vector.ts';
import { Logs } from '../replication/logs.ts';
import type { BackupTarget } from './backup-target.ts';
import {
  type BackupPart,
  cursorOf,
  holdsManifest,
  type Manifest,
  readUnfinished,
  readUnfinishedOf,
  removeBackups,
  type Unfinished,
  writeManifest,
  writeUnfinished,
} from './manifest.ts';
import { PartWriter } from './part-writer.ts';
import { readPart } from './read-backup.ts';

export interface DraftOptions {
  readonly target: BackupTarget;
  /** What it goes on from; undefined = it is whole. */
  readonly base: Manifest | undefined;
  /** Drawn by this process. */
  readonly taker: string;
  /** Of a new one. */
  readonly id: string;
}

/** A backup that is being written: begun, or one that broke off taken up again. */
export class Draft {
  readonly #options: DraftOptions;
  #base: Manifest | undefined;
  #id: string;
  #writer: PartWriter;
  #logs = new Logs();
  #records = 0;
  #token: string | undefined;
  #clusterId: string | undefined;
  #node = '';
  #isSaved = false;

  private constructor(options: DraftOptions, begun: Unfinished | undefined) {
    this.#options = options;
    this.#base = options.base;
    this.#id = begun?.id ?? options.id;
    this.#writer = this.#newWriter(begun?.parts ?? []);
    this.#records = begun?.records ?? 0;
    this.#token = begun?.token;
    this.#clusterId = begun?.clusterId ?? options.base?.clusterId;
  }

  /** The newest that broke off behind the same backup is taken up again; others that broke off are removed. */
  static async open(options: DraftOptions): Promise<Draft> {
    const { target, base } = options;
    const unfinished = await readUnfinished(target);
    const newest = unfinished.at(-1);
    const begun = newest !== undefined && newest.base === base?.id && newest.token !== undefined ? newest : undefined;
    const others = unfinished.filter((other) => other !== begun).map(({ id }) => id);
    if (others.length > 0) await removeBackups(target, others);
    if (begun === undefined) return new Draft(options, undefined);
    const draft = new Draft(options, begun);
    try {
      await draft.#readParts(begun);
    } catch (error) {
      if (!isMeridianError(error, 'DATA_LOSS')) throw error;
      // Of one that was being removed, say: it would keep every later one from being taken.
      await removeBackups(target, [begun.id]);
      return new Draft(options, undefined);
    }
    await draft.#save();
    return draft;
  }

  /** What it has of logs stands in its parts, which are looked at anew at the same time. */
  async #readParts({ id, parts }: Unfinished): Promise<void> {
    for (const part of parts) {
      for (const event of await readPart(this.#options.target, id, part)) {
        if (event.kind === 'changes') this.#hearOf(event);
      }
    }
  }

  get base(): Manifest | undefined {
    return this.#base;
  }

  /** Where the node goes on; undefined = at the beginning. */
  get token(): string | undefined {
    return this.#token;
  }

  /** @throws FAILED_PRECONDITION where what it goes on from is of another cluster */
  opened({ clusterId, node }: Opened): void {
    if (this.#clusterId !== undefined && this.#clusterId !== clusterId) {
      const message = `${this.#options.target.place} holds backups of cluster ${this.#clusterId}, ${node.name} is of ${clusterId}`;
      throw new MeridianError('FAILED_PRECONDITION', message, { reason: 'other-cluster' });
    }
    this.#clusterId = clusterId;
    this.#node = node.name;
  }

  /** The node cannot go on from there: everything comes anew. */
  async restart(): Promise<void> {
    await removeBackups(this.#options.target, [this.#id]);
    this.#id = this.#options.id;
    this.#base = undefined;
    this.#token = undefined;
    this.#isSaved = false;
    this.#records = 0;
    this.#logs = new Logs();
    this.#writer = this.#newWriter([]);
  }

  #newWriter(parts: readonly BackupPart[]): PartWriter {
    const { target, taker } = this.#options;
    return new PartWriter(target, { id: this.#id, taker }, parts);
  }

  async add(event: Changes): Promise<void> {
    this.#writer.add(event);
    this.#records += event.records.length;
    this.#hearOf(event);
    if (!this.#writer.isFull || event.token === undefined) return;
    await this.#writer.finish();
    this.#token = event.token;
    await this.#save();
  }

  /** It is whole. @param takenMs by the node's clock: what it held then is in it */
  async finish(event: CaughtUp, takenMs: number): Promise<Manifest> {
    this.#writer.add(event);
    await this.#writer.finish();
    await this.#checkAlone();
    await this.#checkBase();
    const reached = this.#logs.unfold(event.vector);
    const cursor = this.#base === undefined ? reached : joinVectors(cursorOf(this.#base), reached);
    const manifest: Manifest = { ...this.#contents(), takenMs, cursor: [...cursor] };
    await writeManifest(this.#options.target, manifest);
    return manifest;
  }

  /** @throws FAILED_PRECONDITION where another process pruned what this one goes on from: nothing could be restored of it */
  async #checkBase(): Promise<void> {
    if (this.#base === undefined) return;
    const { id } = this.#base;
    if (await holdsManifest(this.#options.target, id)) return;
    throw new MeridianError(
      'FAILED_PRECONDITION',
      `another process removed the backup ${id}, from which this one goes on`,
      {
        reason: 'backup-elsewhere',
      },
    );
  }

  #contents() {
    return {
      format: 1 as const,
      id: this.#id,
      ...(this.#base === undefined ? {} : { base: this.#base.id }),
      clusterId: this.#clusterId ?? '',
      node: this.#node,
      parts: this.#writer.parts,
      records: this.#records,
    };
  }

  #hearOf({ records }: Changes): void {
    for (const record of records) if (record.kind !== 'announcement') this.#logs.apply(record);
  }

  async #save(): Promise<void> {
    await this.#checkAlone();
    const { target, taker } = this.#options;
    const token = this.#token === undefined ? {} : { token: this.#token };
    await writeUnfinished(target, { ...this.#contents(), ...token, taker });
    this.#isSaved = true;
  }

  /** @throws FAILED_PRECONDITION where a later process has taken it up, or removed it */
  async #checkAlone(): Promise<void> {
    if (!this.#isSaved) return;
    const { target, taker } = this.#options;
    const saved = await readUnfinishedOf(target, this.#id);
    if (saved?.taker === taker) return;
    throw new MeridianError('FAILED_PRECONDITION', `another process goes on with the backup ${this.#id}`, {
      reason: 'backup-elsewhere',
    });
  }
}
