import { maskedCrc32c } from './crc32c.ts';

/*
 * LevelDB's log format (doc/log_format.md of LevelDB), in which its write-ahead logs and its MANIFEST are kept. A file
 * is blocks of 32 KiB; a block is pieces of a header (checksum 4, length 2, type 1) and their bytes; a record is one
 * piece, or a first, some middle ones and a last one. No piece crosses a block, so after damage the reading goes on at
 * the next block at the latest:
 *
 *   | full | first ........ | . middle ........ | . last | full | zeros |
 *   0                       32768               65536
 *
 * LevelDB itself skips what fails its checksum, and says nothing. Here each such place is a fault among the records.
 */

export type LogPiece =
  | { readonly kind: 'record'; readonly at: number; readonly bytes: Buffer }
  /** Bytes from there on are no record, up to the next piece. */
  | { readonly kind: 'fault'; readonly at: number };

const blockBytes = 32 * 1024;
const headerBytes = 7;
const pieceTypes = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** The records and faults of a log, in their order; two faults never follow each other. */
export function walkLog(file: Buffer): readonly LogPiece[] {
  const pieces: LogPiece[] = [];
  let begun: { readonly at: number; readonly parts: Buffer[] } | undefined;
  const fault = (at: number) => {
    if (pieces.at(-1)?.kind !== 'fault') pieces.push({ kind: 'fault', at: begun?.at ?? at });
    begun = undefined;
  };
  let at = 0;
  while (at < file.length) {
    const room = blockBytes - (at % blockBytes);
    if (room < headerBytes) {
      at += room;
      continue;
    }
    const { type, end, sound } = pieceAt(file, at, room);
    const bytes = file.subarray(at + headerBytes, end);
    if (!sound) fault(at);
    else if (type === pieceTypes.full || type === pieceTypes.first) {
      if (begun !== undefined) fault(at);
      if (type === pieceTypes.full) pieces.push({ kind: 'record', at, bytes });
      else begun = { at, parts: [bytes] };
    } else if (begun === undefined) fault(at);
    else {
      begun.parts.push(bytes);
      if (type === pieceTypes.last) {
        pieces.push({ kind: 'record', at: begun.at, bytes: Buffer.concat(begun.parts) });
        begun = undefined;
      }
    }
    at = end;
  }
  if (begun !== undefined) fault(begun.at);
  return pieces;
}

/** The piece at this place. A damaged piece ends where its length says or, if that cannot be, with its block. */
function pieceAt(file: Buffer, at: number, room: number) {
  const rest = { type: 0, end: Math.min(at + room, file.length), sound: false };
  if (at + headerBytes > file.length) return rest;
  const type = file[at + 6] ?? 0;
  const end = at + headerBytes + file.readUInt16LE(at + 4);
  if (type < pieceTypes.full || type > pieceTypes.last || end > at + room || end > file.length) return rest;
  return { type, end, sound: file.readUInt32LE(at) === maskedCrc32c(file.subarray(at + 6, end)) };
}
