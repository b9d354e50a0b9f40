import { toMeridianError } from '../model/errors.ts';
import type { BackupTarget } from './backup-target.ts';
import { chainOf, type Manifest, readManifests } from './manifest.ts';
import { readEvents } from './read-backup.ts';

export interface Verified {
  readonly manifest: Manifest;
  /** What keeps it from being restored; unset = it is whole, and so is all that it goes on from. */
  readonly fault?: string;
}

/** Reads every backup to its end, oldest first. @throws UNAVAILABLE; DATA_LOSS where a manifest cannot be read */
export async function* verifyBackups(target: BackupTarget): AsyncGenerator<Verified> {
  const manifests = await readManifests(target);
  const faults = new Map<string, string>();
  for (const manifest of manifests) {
    const fault = await faultOf(target, manifests, manifest, faults);
    if (fault !== undefined) faults.set(manifest.id, fault);
    yield { manifest, ...(fault === undefined ? {} : { fault }) };
  }
}

async function faultOf(
  target: BackupTarget,
  manifests: readonly Manifest[],
  manifest: Manifest,
  earlier: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  try {
    const broken = chainOf(manifests, manifest).find(({ id }) => earlier.has(id));
    if (broken !== undefined) return `it goes on from ${broken.id}, which is damaged`;
    for await (const _event of readEvents(target, manifest));
    return undefined;
  } catch (error) {
    const { code, message } = toMeridianError(error);
    if (code !== 'DATA_LOSS') throw error;
    return message;
  }
}
