import type { OriginId } from './position.ts';
import type { VersionVector } from './version-vector.ts';

/** 32 random bits drawn at each opening of an origin's store (rule R16). */
export type Epoch = number;

/** The openings of one origin, oldest first: each with the first sequence that it covers. */
export type EpochHistory = readonly EpochStart[];

export interface EpochStart {
  readonly epoch: Epoch;
  readonly first: number;
}

/** What a node knows of every origin's openings. */
export type Epochs = ReadonlyMap<OriginId, EpochHistory>;

/** For each origin: the opening in which the last was written of what somebody speaks of. */
export type Openings = ReadonlyMap<OriginId, Epoch>;

/** A vector from which a follower resumes. Each component names the epoch of its sequence, where that is known. */
export type Cursor = ReadonlyMap<OriginId, { readonly sequence: number; readonly epoch: Epoch | undefined }>;

/** The epoch in which an origin wrote this sequence, or undefined where the history does not say. */
export function epochOf(history: EpochHistory | undefined, sequence: number): Epoch | undefined {
  return history?.findLast((start) => start.first <= sequence)?.epoch;
}

/**
 * True where the history says that another opening took over from this epoch at or below the sequence: whoever has that
 * sequence of this epoch has it from a life of the disk that was lost.
 */
export function wasTakenOver(history: EpochHistory | undefined, epoch: Epoch, sequence: number): boolean {
  const next = openingAfter(history, epoch);
  return next !== undefined && next <= sequence;
}

/** The first sequence of the opening that followed this one; undefined where the history names none, or not this one. */
export function openingAfter(history: EpochHistory | undefined, epoch: Epoch | undefined): number | undefined {
  const index = history?.findIndex((start) => start.epoch === epoch) ?? -1;
  return index < 0 ? undefined : history?.[index + 1]?.first;
}

/** The openings in which the sequences of this vector were written, where they are known. */
export function openingsOf(vector: VersionVector, epochs: Epochs): Openings {
  const openings = new Map<OriginId, Epoch>();
  for (const [origin, sequence] of vector) {
    const epoch = epochOf(epochs.get(origin), sequence);
    if (epoch !== undefined) openings.set(origin, epoch);
  }
  return openings;
}

/** True where everything of this vector whose opening is known here was written in that one as they say too (rule R16). */
export function agreesOn(vector: VersionVector, openings: Openings, known: Epochs): boolean {
  return [...openingsOf(vector, known)].every(([origin, epoch]) => openings.get(origin) === epoch);
}

export function cursorOf(vector: VersionVector, epochs: Epochs): Cursor {
  return new Map(
    [...vector].map(([origin, sequence]) => [origin, { sequence, epoch: epochOf(epochs.get(origin), sequence) }]),
  );
}

export function vectorOf(cursor: Cursor): VersionVector {
  return new Map([...cursor].map(([origin, { sequence }]) => [origin, sequence]));
}

/** Who hears of openings: an origin from another, or an edge, which may claim nothing yet of what it holds. */
export type Hearer = 'origin' | 'edge' | 'claims-nothing';

/**
 * Everything that either knows, `known` itself where `told` adds nothing. Where two histories part, the one counts whose
 * next opening begins earlier: it is what took the place of the other. Where they begin at the same, an edge goes by what
 * it is told; origins, which tell each other, would swap the two.
 */
export function joinEpochs(known: Epochs, told: Epochs, hearer: Hearer = 'edge'): Epochs {
  const later = [...told].filter(([origin, history]) => goesOn(known.get(origin), history, hearer));
  return later.length === 0 ? known : new Map([...known, ...later]);
}

function goesOn(known: EpochHistory | undefined, told: EpochHistory, hearer: Hearer): boolean {
  const { known: ours, told: theirs } = partedAt(known, told);
  // They share the last of what was told, or nothing at all.
  if (theirs === undefined) return ours === undefined && (known?.at(-1)?.first ?? 0) < (told.at(-1)?.first ?? 0);
  return ours === undefined || theirs < ours || (theirs === ours && hearer !== 'origin');
}

/** Where an opening begins that is told and counts, and is not known: what is known of there and behind is lost. */
export function takenOverAt(known: EpochHistory | undefined, told: EpochHistory | undefined): number | undefined {
  const parted = partedAt(known, told);
  const counts = parted.told !== undefined && parted.told <= (parted.known ?? Number.POSITIVE_INFINITY);
  return counts ? parted.told : undefined;
}

/** What a follower knows once it was told: where it claims nothing, what is told counts, be it of another life. */
export function heardEpochs(known: Epochs, told: Epochs | undefined, hearer: Hearer): Epochs {
  if (told === undefined) return known;
  return hearer === 'claims-nothing' ? new Map([...known, ...told]) : joinEpochs(known, told, hearer);
}

/**
 * Where two histories go on after the last opening that they share: the first sequence of what follows in each. One of two
 * that follow is of a life that was lost; most likely the one that begins later, as a disk is put back to an earlier image.
 */
export function partedAt(
  known: EpochHistory = [],
  told: EpochHistory = [],
): { readonly known: number | undefined; readonly told: number | undefined } {
  const shared = known.findLast(({ epoch }) => told.some((start) => start.epoch === epoch))?.epoch;
  return { known: openingAfter(known, shared), told: openingAfter(told, shared) };
}
