import type { Lost } from '../../model/feed.ts';
import { mapKey } from '../../model/key.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { Position } from '../../model/position.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Damaged, Snapshot } from '../../store/store.ts';
import { damagedRecord } from '../mending.ts';
import { placesOf } from '../with-damaged.ts';

/*
 * What a scan says of records that cannot be read. A follower that passed them unaware would claim to cover them, and
 * answer "not found", or an earlier record:
 *
 *     held here        k at (l, 9), damaged; this node covers {l: 12, m: 4}
 *     the scan         k is lost at (l, 9), and is no earlier than any write of k up to {l: 12, m: 4}
 *     the follower     holds k at (l, 9): keeps it, for it is that write
 *                      holds k at (m, 3): lets it go, for it is no later than what is lost
 *                      holds nothing: answers DATA_LOSS for k from now on, and tells its own followers likewise
 *                      holds k at (m, 5): nobody knows which is the later one: it waits until that is mended
 *
 * A damaged record of the registry ends the scan: half a registry would not know who belongs to the cluster.
 */

/** Reports the damaged records of one scan. */
export class LostScan {
  readonly #snapshot: Snapshot;
  /** What this node covers in the snapshot, unfolded: a follower may not have heard of a seal yet. */
  readonly upTo: VersionVector;
  readonly #taken: boolean;
  #places: Promise<ReadonlyMap<string, Position>> | undefined;

  /** @param taken the follower keeps lost records */
  constructor(snapshot: Snapshot, { upTo, taken }: { readonly upTo: VersionVector; readonly taken: boolean }) {
    this.#snapshot = snapshot;
    this.upTo = upTo;
    this.#taken = taken;
  }

  /** @throws DATA_LOSS (`damaged-record`) if the follower cannot be told, or the record's position is lost as well */
  async of(damaged: Damaged): Promise<Lost> {
    const { namespace, key } = damaged;
    if (!this.#taken || namespace === registryNamespace) throw damagedRecord(damaged);
    const position = damaged.position ?? (await this.#placeOf(damaged));
    if (position === undefined) throw damagedRecord(damaged);
    return { namespace, key, position };
  }

  /** A row that fails its checksum does not tell its position: the log does, after one walk for the whole scan. */
  async #placeOf({ namespace, key }: Damaged): Promise<Position | undefined> {
    this.#places ??= placesOf(this.#snapshot);
    return (await this.#places).get(mapKey(namespace, key));
  }
}
