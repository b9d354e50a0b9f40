import { brokenByteAt, describeByte, textOfUtf8 } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';
import { type ImportRecord, recordOfJson } from './import-record.ts';
import { orUnread, type UnreadRecord } from './unread-record.ts';

/** Bytes of one object's text: a value of 25 MiB in base64, or escaped throughout, with what stands around it. */
const objectBytesMax = 160 * 1024 * 1024;

const byte = { quote: 0x22, backslash: 0x5c, open: 0x7b, close: 0x7d, openArray: 0x5b, closeArray: 0x5d } as const;
/** Space, tab, line feed, carriage return, comma and the brackets of the array. */
const between = new Set([0x20, 0x09, 0x0a, 0x0d, 0x2c, 0x5b, 0x5d]);
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;

export interface ObjectReading<Unread> {
  /** Makes a record of an object's text. Default: as the bulk form says. */
  readonly recordOf?: (text: string, place: string) => ImportRecord;
  /** What stands for an object that is no record. Default: the reading ends with the error. */
  readonly unread?: UnreadRecord<Unread> | undefined;
}

/**
 * The records of NDJSON, and of the bulk JSON of Workers KV, which is one array. Objects are cut out of the bytes by
 * their braces, so that a file of any size takes the memory of one chunk and one object:
 * `[{"a":1},{"b":{}}]` gives `{"a":1}` and `{"b":{}}`, whatever the chunks.
 */
export async function* readObjects<Unread = never>(
  chunks: AsyncIterable<Uint8Array>,
  { recordOf = recordOfJson, unread }: ObjectReading<Unread> = {},
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const cutter = new ObjectCutter();
  let number = 0;
  for await (const chunk of chunks) {
    for (const { bytes, offset } of cutter.push(chunk)) {
      const place = `record ${++number}`;
      yield orUnread(
        () => recordOf(textIn(bytes, offset, place), place),
        () => bytes,
        unread,
      );
    }
  }
  if (cutter.inside) throw new UsageError(`the file ends within record ${number + 1}`);
  if (cutter.openArrays > 0) throw new UsageError(`the file ends within its array, behind record ${number}`);
}

function textIn(bytes: Uint8Array, offset: number, place: string): string {
  const text = textOfUtf8(bytes);
  if (text !== undefined) return text;
  const at = brokenByteAt(bytes) ?? 0;
  throw new UsageError(`${place} is no UTF-8: ${describeByte(bytes[at], offset + at)} of the file`);
}

interface CutObject {
  readonly bytes: Uint8Array;
  /** Bytes of the file before it. */
  readonly offset: number;
}

class ObjectCutter {
  #depth = 0;
  #inText = false;
  #escaped = false;
  #seenBytes = 0;
  #objectOffset = 0;
  readonly #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Arrays of objects that have begun and not ended. */
  openArrays = 0;

  get inside(): boolean {
    return this.#depth > 0;
  }

  *push(chunk: Uint8Array): Generator<CutObject> {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const unit = chunk[i] ?? 0;
      if (this.#depth === 0) {
        if (unit !== byte.open) this.#checkBetween(unit, this.#seenBytes + i);
        else {
          this.#depth = 1;
          start = i;
          this.#objectOffset = this.#seenBytes + i;
        }
      } else if (this.#closes(unit)) {
        this.#keep(chunk.subarray(start, i + 1));
        yield { bytes: this.#take(), offset: this.#objectOffset };
      }
    }
    if (this.#depth > 0) this.#keep(chunk.slice(start));
    this.#seenBytes += chunk.length;
  }

  /** Steps over one byte of an object; true where it is the brace that ends it. */
  #closes(unit: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false;
      else if (unit === byte.backslash) this.#escaped = true;
      else if (unit === byte.quote) this.#inText = false;
      return false;
    }
    if (unit === byte.quote) this.#inText = true;
    else if (unit === byte.open) this.#depth++;
    else if (unit === byte.close) return --this.#depth === 0;
    return false;
  }

  #checkBetween(unit: number, offset: number): void {
    if (unit === byte.openArray) this.openArrays++;
    if (unit === byte.closeArray) this.openArrays--;
    if (between.has(unit) || unit === byteOrderMark[offset]) return;
    throw new UsageError(`byte ${offset + 1} stands between objects: this is neither NDJSON nor an array of objects`);
  }

  #keep(piece: Uint8Array): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes > objectBytesMax) throw new UsageError(`one object has more than ${objectBytesMax} bytes`);
    this.#pieces.push(piece);
  }

  #take(): Uint8Array {
    const [first] = this.#pieces;
    const bytes = first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces);
    this.#pieces.length = 0;
    this.#pieceBytes = 0;
    return bytes;
  }
}
