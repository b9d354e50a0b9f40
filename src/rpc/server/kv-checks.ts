import { MeridianError } from '../../model/errors.ts';
import type { GetAnswer } from '../../model/key-value.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import { messageBytesMax } from '../proto.ts';

/** Bytes of an answer besides its value: key, metadata, vectors. */
export const envelopeBytes = 64 * 1024;

/** The registry has a service of its own. */
export function checkNamespace(name: string): void {
  if (name !== registryNamespace) return;
  throw new MeridianError('PERMISSION_DENIED', 'the registry is read and changed through the Namespaces service', {
    reason: 'registry',
  });
}

/** Bytes by which an answer may exceed its value, and still be a small one. */
const smallRestBytes = 8 * 1024;

/** Whether an answer from memory goes to its reader without room of its own: its metadata counts too. */
export function isSmallHit({ record }: GetAnswer, room: AnswerRoom): boolean {
  return record?.kind !== 'live' || record.value.byteLength < room.largeBytesMin - smallRestBytes;
}

export function checkFits({ record }: GetAnswer): void {
  const limit = messageBytesMax - envelopeBytes;
  if (record?.kind !== 'live' || record.value.byteLength <= limit) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the value has ${record.value.byteLength} bytes and Get answers at most ${limit}; use Read`,
    { reason: 'value-too-large-for-get', limit, seen: record.value.byteLength },
  );
}
