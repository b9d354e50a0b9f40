import { isMeridianError, MeridianError } from '../model/errors.ts';
import { parseVector, type VersionVector } from '../model/version-vector.ts';
import type { BackupTarget } from './backup-target.ts';

/** One file of a backup: events of the feed, compressed. */
export interface BackupPart {
  /** Within the backup's own folder. */
  readonly name: string;
  readonly bytes: number;
  /** Of the file as it is stored; hex. */
  readonly sha256: string;
}

/** What is known of a backup that is taken, or under way. */
export interface BackupContents {
  /** Of this format. */
  readonly format: 1;
  /** Sorts by time: when it was begun, and a few random digits. */
  readonly id: string;
  /** The backup that this one goes on from; unset = it is whole. */
  readonly base?: string;
  readonly clusterId: string;
  /** The name of the node that it was taken of. */
  readonly node: string;
  readonly parts: readonly BackupPart[];
  readonly records: number;
}

/** A backup that is whole, as its `manifest.json` says. */
export interface Manifest extends BackupContents {
  /** By the clock of the node: all that it held then is in it. Milliseconds since 1970. */
  readonly takenMs: number;
  /** What it covers, of every log: the next one goes on from there. */
  readonly cursor: ReadonlyArray<readonly [log: string, sequence: number]>;
}

/** A backup that is under way, or broke off, as its `unfinished.json` says. */
export interface Unfinished extends BackupContents {
  /** Where the node goes on; unset before the first part. */
  readonly token?: string;
  /** Drawn by the process that takes it: of two at once the later one goes on. */
  readonly taker: string;
}

const manifestName = 'manifest.json';
/** Manifests that are read at once: they are short, and a bucket is far away. */
const readAtOnce = 16;
const unfinishedName = 'unfinished.json';

export function partPath(id: string, part: string): string {
  return `${id}/${part}`;
}

/**
 * Every whole backup, oldest first. Deeper folders are not looked into: another cluster may keep its own there.
 * @throws DATA_LOSS where a manifest cannot be read
 */
export async function readManifests(target: BackupTarget): Promise<readonly Manifest[]> {
  const isManifest = (name: string) => name.endsWith(`/${manifestName}`) && name.split('/').length === 2;
  const names = (await target.names()).filter(isManifest).sort();
  const manifests: Manifest[] = [];
  for (let from = 0; from < names.length; from += readAtOnce) {
    const some = names.slice(from, from + readAtOnce);
    manifests.push(...(await Promise.all(some.map(async (name) => parseManifest(name, await target.read(name))))));
  }
  return manifests.sort((a, b) => a.takenMs - b.takenMs);
}

/** Whether that backup is there, and whole. */
export async function holdsManifest(target: BackupTarget, id: string): Promise<boolean> {
  return (await target.names()).includes(partPath(id, manifestName));
}

/** From now on it is whole. */
export async function writeManifest(target: BackupTarget, manifest: Manifest): Promise<void> {
  await target.write(partPath(manifest.id, manifestName), jsonBytes(manifest));
  await target.remove(partPath(manifest.id, unfinishedName));
}

/**
 * Backups that are under way or broke off, oldest first; what cannot be read of them is nothing. One with a manifest is
 * whole, though it may have ended before it could say so.
 */
export async function readUnfinished(target: BackupTarget): Promise<readonly Unfinished[]> {
  const names = new Set(await target.names());
  const found: Unfinished[] = [];
  for (const name of [...names].filter((each) => each.endsWith(`/${unfinishedName}`)).sort()) {
    const id = name.slice(0, -unfinishedName.length - 1);
    const unfinished = names.has(partPath(id, manifestName)) ? undefined : await readUnfinishedOf(target, id);
    if (unfinished !== undefined) found.push(unfinished);
  }
  return found;
}

/** The same of one backup. */
export async function readUnfinishedOf(target: BackupTarget, id: string): Promise<Unfinished | undefined> {
  try {
    const parsed = JSON.parse((await target.read(partPath(id, unfinishedName))).toString()) as Unfinished;
    return parsed.format === 1 && parsed.id === id ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isMeridianError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

export async function writeUnfinished(target: BackupTarget, unfinished: Unfinished): Promise<void> {
  await target.write(partPath(unfinished.id, unfinishedName), jsonBytes(unfinished));
}

/** Of some manifests each by its id: a schedule of a minute has ten thousand a week, and each asks for its chain. */
const indexes = new WeakMap<readonly Manifest[], ReadonlyMap<string, Manifest>>();

function indexOf(manifests: readonly Manifest[]): ReadonlyMap<string, Manifest> {
  const index = indexes.get(manifests) ?? new Map(manifests.map((manifest) => [manifest.id, manifest]));
  indexes.set(manifests, index);
  return index;
}

/**
 * The backup and all that it goes on from, the whole one first; of those that are `known`, with what these go on from, none.
 * @throws DATA_LOSS where one of them is missing
 */
export function chainOf(
  manifests: readonly Manifest[],
  last: Manifest,
  known: ReadonlySet<Manifest> = new Set(),
): readonly Manifest[] {
  const chain = new Set<Manifest>();
  for (let at = last; !known.has(at); ) {
    if (chain.has(at)) throw damaged(`${last.id} goes on from itself`);
    chain.add(at);
    if (at.base === undefined) break;
    const before = indexOf(manifests).get(at.base);
    if (before === undefined) throw damaged(`${last.id} goes on from ${at.base}, which is not there`);
    at = before;
  }
  return [...chain].reverse();
}

/** Removes backups, in this order. What says that each is whole goes first. */
export async function removeBackups(target: BackupTarget, ids: readonly string[]): Promise<void> {
  for (const id of ids) await target.remove(partPath(id, manifestName));
  const names = await target.names();
  for (const id of ids) for (const name of names) if (name.startsWith(`${id}/`)) await target.remove(name);
}

/** Of its files, as they are stored. */
export function bytesOf({ parts }: Pick<BackupContents, 'parts'>): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @throws DATA_LOSS */
export function cursorOf({ id, cursor }: Pick<Manifest, 'id' | 'cursor'>): VersionVector {
  const vector = parseVector(cursor);
  if (vector === undefined) throw damaged(`the cursor of ${id} is none`);
  return vector;
}

/** What is told of a backup. */
export interface BackupSummary extends Pick<Manifest, 'id' | 'base' | 'node' | 'clusterId' | 'records'> {
  /** As of when, ISO 8601. */
  readonly taken: string;
  readonly bytes: number;
  readonly files: number;
}

export function summaryOf(manifest: Manifest): BackupSummary {
  const { id, base, takenMs, node, clusterId, records, parts } = manifest;
  const taken = new Date(takenMs).toISOString();
  const counts = { records, bytes: bytesOf(manifest), files: parts.length };
  return { id, ...(base === undefined ? {} : { base }), taken, node, clusterId, ...counts };
}

function jsonBytes(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`);
}

export function damaged(message: string): MeridianError {
  return new MeridianError('DATA_LOSS', message, { reason: 'backup-damaged' });
}

function parseManifest(name: string, bytes: Buffer): Manifest {
  let parsed: Partial<Manifest>;
  try {
    parsed = JSON.parse(bytes.toString()) as Partial<Manifest>;
  } catch {
    throw damaged(`${name} is no JSON`);
  }
  if (parsed.format !== 1) {
    throw new MeridianError('FAILED_PRECONDITION', `${name} is of format ${parsed.format}; this version reads 1`, {
      reason: 'backup-format',
    });
  }
  const { id, parts, cursor, clusterId, takenMs } = parsed;
  const isWhole = Array.isArray(parts) && Array.isArray(cursor) && typeof takenMs === 'number';
  if (!isWhole || typeof clusterId !== 'string' || `${id}/${manifestName}` !== name)
    throw damaged(`${name} is no manifest`);
  return parsed as Manifest;
}
