import type { StorageStatus } from '../model/cluster.ts';
import type { Store } from '../store/store.ts';

/** The condition of these stores together. */
export function storageStatus(stores: ReadonlyArray<Pick<Store, 'condition'>>): StorageStatus {
  const conditions = stores.map((store) => store.condition());
  return {
    damagedRecords: conditions.reduce((sum, { damagedRecords }) => sum + damagedRecords, 0),
    absenceUncertain: conditions.some(({ absenceUncertain }) => absenceUncertain),
    full: conditions.some(({ full }) => full),
    acceptedLoss: conditions.reduce((sum, { acceptedLoss }) => sum + acceptedLoss, 0),
  };
}

/** What an operator has to know of that condition. */
export function storageNotes({
  damagedRecords,
  absenceUncertain,
  full,
  acceptedLoss,
}: StorageStatus): readonly string[] {
  return [
    ...(full ? ['the disk is full: values are refused, reads and deletions go on'] : []),
    ...(damagedRecords > 0
      ? [
          `${damagedRecords} records are damaged: other nodes are asked for them; writing or deleting a key heals it too`,
        ]
      : []),
    ...(absenceUncertain
      ? [
          'records were lost of which nothing is known: no follower is served (begin anew from a peer, or --accept-loss)',
        ]
      : []),
    ...(acceptedLoss > 0 ? [`${acceptedLoss} acknowledged commits were given up when it was started`] : []),
  ];
}
