import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { LiveRecord, Tombstone } from '../../src/model/record.ts';
import { makeStamp, type Stamp } from '../../src/model/stamp.ts';

export const namespaceA = 'a'.repeat(32) as NamespaceId;
export const namespaceB = 'b'.repeat(32) as NamespaceId;
export const logOne = '1'.repeat(16) as LogId;
export const logTwo = '2'.repeat(16) as LogId;

/** A second of 2023; stamps of the samples lie in it unless told otherwise. */
export const sampleSeconds = 1_700_000_000;

export interface Sample {
  readonly key: string;
  readonly sequence: number;
  readonly namespace?: NamespaceId;
  readonly log?: LogId;
  readonly stamp?: Stamp;
  readonly value?: Uint8Array | string;
  readonly metadata?: string;
  readonly expiresAt?: number;
}

/** A stamp that rises with the sequence; eight of them a millisecond. */
export function stampAt(sequence: number, log: LogId = logOne): Stamp {
  return makeStamp({ wallMs: sampleSeconds * 1000 + Math.floor(sequence / 8), counter: sequence % 8, log });
}

export function live(sample: Sample): LiveRecord {
  const { value = `value ${sample.sequence}`, metadata, expiresAt } = sample;
  return {
    kind: 'live',
    ...written(sample),
    value: typeof value === 'string' ? new TextEncoder().encode(value) : value,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

export function tombstone(sample: Omit<Sample, 'value' | 'metadata'>): Tombstone {
  const { expiresAt } = sample;
  return { kind: 'tombstone', ...written(sample), ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** Bytes that do not compress and differ with the seed. */
export function noise(bytes: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

function written({ key, sequence, namespace = namespaceA, log = logOne, stamp }: Sample) {
  return { namespace, key, stamp: stamp ?? stampAt(sequence, log), position: { log, sequence } };
}
