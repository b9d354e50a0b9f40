import { brokenByteAt, describeByte, textOfUtf8 } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';
import { type ImportRecord, recordOfJson } from './import-record.ts';
import { orUnread, type UnreadRecord } from './unread-record.ts';

/** Bytes of one object's text: a value of 25 MiB in base64, or escaped throughout, with what stands around it. */
const objectBytesMax = 160 * 1024 * 1024;

const byte = {
  lineFeed: 0x0a,
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openArray: 0x5b,
  backslash: 0x5c,
  closeArray: 0x5d,
  open: 0x7b,
  close: 0x7d,
} as const;
/** Space, tab, line feed, carriage return. */
const spaces = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** What ends what is no object, beside the end of its line, within an array. */
const endsElement = new Set<number>([byte.comma, byte.closeArray]);
/** What may stand between objects. */
const between = new Set([...spaces, byte.comma, byte.openArray, byte.closeArray]);
/** What an object inside another one may stand behind. */
const beforeObject = new Set<number>([byte.colon, byte.comma, byte.openArray]);
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
 * `[{"a":1},{"b":{}}]` gives `{"a":1}` and `{"b":{}}`, whatever the chunks. What stands between them and is no object, a
 * number say, is an unread record up to the end of its line, or in an array to the next comma.
 */
export async function* readObjects<Unread = never>(
  chunks: AsyncIterable<Uint8Array>,
  { recordOf = recordOfJson, unread }: ObjectReading<Unread> = {},
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const cutter = new ObjectCutter(unread !== undefined);
  const recordIn = ({ bytes, offset, number, isStray }: CutObject) => {
    const place = `record ${number}`;
    const read = () => {
      if (isStray) throw new UsageError(`${place} is no object`);
      return recordOf(textIn(bytes, offset, place), place);
    };
    return orUnread(read, () => bytes, unread);
  };
  for await (const chunk of chunks) for (const cut of cutter.push(chunk)) yield recordIn(cut);
  const last = cutter.lastStray();
  if (last !== undefined) yield recordIn(last);
  if (cutter.inside) throw new UsageError(`the file ends within record ${cutter.number}`);
  if (cutter.openArrays > 0) throw new UsageError(`the file ends within its array, behind record ${cutter.number}`);
}

function textIn(bytes: Uint8Array, offset: number, place: string): string {
  const text = textOfUtf8(bytes);
  if (text !== undefined) return text;
  const at = brokenByteAt(bytes) ?? 0;
  throw new UsageError(`${place} is no UTF-8: ${describeByte(bytes[at], offset + at)} of the file`);
}

interface CutObject {
  readonly bytes: Uint8Array;
  /** The first one is 1. */
  readonly number: number;
  /** Bytes of the file before it. */
  readonly offset: number;
  /** It is none, and stands where one should. */
  readonly isStray: boolean;
}

class ObjectCutter {
  /** Objects that have begun. */
  number = 0;
  #depth = 0;
  /** Inside what is no object. */
  #isStray = false;
  #inText = false;
  #escaped = false;
  /** The byte before, and the one before it within the object that is neither a space nor inside a text. */
  #before = 0;
  #beforeSpaces = 0;
  #seenBytes = 0;
  #objectOffset = 0;
  readonly #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Arrays of objects that have begun and not ended. */
  openArrays = 0;
  readonly #takesStrays: boolean;

  constructor(takesStrays: boolean) {
    this.#takesStrays = takesStrays;
  }

  get inside(): boolean {
    return this.#depth > 0;
  }

  *push(chunk: Uint8Array): Generator<CutObject> {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const unit = chunk[i] ?? 0;
      if (this.#depth > 0 && unit === byte.open && this.#isCutOff()) {
        this.#keep(chunk.subarray(start, i));
        yield this.#take();
        this.#depth = 0;
      }
      if (this.#isStray && this.#endsStray(unit)) {
        this.#keep(chunk.subarray(start, i));
        yield this.#take();
      }
      if (this.#depth === 0) {
        if (!this.#isStray && this.#begins(unit, this.#seenBytes + i)) start = i;
      } else if (this.#closes(unit)) {
        this.#keep(chunk.subarray(start, i + 1));
        yield this.#take();
      }
      this.#before = unit;
    }
    if (this.#depth > 0 || this.#isStray) this.#keep(chunk.slice(start));
    this.#seenBytes += chunk.length;
  }

  /** What is no object, and ends with the file. */
  lastStray(): CutObject | undefined {
    return this.#isStray ? this.#take() : undefined;
  }

  /** Steps over one byte between objects; true where an object begins with it, or what stands in the place of one. */
  #begins(unit: number, offset: number): boolean {
    this.#isStray = unit !== byte.open && this.#isStrange(unit, offset);
    if (unit !== byte.open && !this.#isStray) return false;
    this.#begin(offset, unit);
    return true;
  }

  #begin(offset: number, unit: number): void {
    this.number++;
    this.#objectOffset = offset;
    this.#depth = this.#isStray ? 0 : 1;
    this.#inText = this.#isStray && unit === byte.quote;
    this.#escaped = false;
    this.#beforeSpaces = byte.open;
  }

  /**
   * Whether an object that begins a line begins where no JSON has one: what stands before was cut off, as by a writer that
   * died, and must not take the objects behind it with it.
   */
  #isCutOff(): boolean {
    if (this.#before !== byte.lineFeed) return false;
    return this.#inText || !beforeObject.has(this.#beforeSpaces);
  }

  /** Steps over one byte of an object; true where it is the brace that ends it. */
  #closes(unit: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false;
      else if (unit === byte.backslash) this.#escaped = true;
      else if (unit === byte.quote) this.#inText = false;
      return false;
    }
    if (!spaces.has(unit)) this.#beforeSpaces = unit;
    if (unit === byte.quote) this.#inText = true;
    else if (unit === byte.open) this.#depth++;
    else if (unit === byte.close) return --this.#depth === 0;
    return false;
  }

  /** Steps over one byte of what is no object; true where it ends before that byte. */
  #endsStray(unit: number): boolean {
    // No JSON text has a line feed.
    if (unit === byte.lineFeed) return true;
    if (this.openArrays === 0) return false;
    if (!this.#inText && endsElement.has(unit)) return true;
    if (this.#escaped) this.#escaped = false;
    else if (this.#inText && unit === byte.backslash) this.#escaped = true;
    else if (unit === byte.quote) this.#inText = !this.#inText;
    return false;
  }

  /** @throws UsageError where nothing may stand between objects */
  #isStrange(unit: number, offset: number): boolean {
    if (unit === byte.openArray) this.openArrays++;
    if (unit === byte.closeArray) this.openArrays--;
    if (between.has(unit) || unit === byteOrderMark[offset]) return false;
    if (this.#takesStrays) return true;
    throw new UsageError(`byte ${offset + 1} stands between objects: this is neither NDJSON nor an array of objects`);
  }

  #keep(piece: Uint8Array): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes > objectBytesMax) {
      throw new UsageError(`record ${this.number} has more than ${objectBytesMax} bytes`);
    }
    this.#pieces.push(piece);
  }

  #take(): CutObject {
    const [first] = this.#pieces;
    const bytes = first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces);
    this.#pieces.length = 0;
    this.#pieceBytes = 0;
    const isStray = this.#isStray;
    this.#isStray = false;
    return { bytes, number: this.number, offset: this.#objectOffset, isStray };
  }
}
