import { isUtf8 } from 'node:buffer';
import { brokenByteAt, describeByte } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';

const noBytes = new Uint8Array();
/** A byte order mark. */
const mark = Buffer.from('\ufeff');

/** Bytes of the longest sequence of UTF-8, but for its last. */
const unfinishedBytesMax = 3;

/** Broken bytes that are remembered at once: more than all rows have that a parser reads ahead, but for one that is no text. */
const brokenMax = 1_000_000;

/**
 * Lets the bytes of a file through to a parser that takes what is no UTF-8 for U+FFFD, and remembers what it still may
 * be asked for: where they are broken, and the bytes of the rows that the parser has yet to give.
 */
export class Utf8Gate {
  /** Places of broken bytes in the file, counted from 0, in order. A parser reads few chunks ahead of its rows. */
  #broken: Array<{ readonly offset: number; readonly byte: number | undefined }> = [];
  #chunks: Uint8Array[] = [];
  /** Of the file before `#chunks`. */
  #droppedBytes = 0;
  #scannedBytes = 0;

  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let rest: Uint8Array = new Uint8Array();
    for await (const chunk of chunks) {
      this.#chunks.push(chunk);
      rest = this.#scan(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
      this.#checkBroken();
      yield chunk;
    }
    if (rest.length > 0) this.#broken.push({ offset: this.#scannedBytes, byte: rest[0] });
  }

  /** Why what ends there, counted in bytes of the file, is no UTF-8: its first broken byte. What lies before is forgotten. */
  broken(endBytes: number, place: string): UsageError | undefined {
    const count = this.#broken.findIndex(({ offset }) => offset >= endBytes);
    const [first] = this.#broken.splice(0, count === -1 ? this.#broken.length : count);
    if (first === undefined) return undefined;
    return new UsageError(`${place} is no UTF-8: ${describeByte(first.byte, first.offset)} of the file`);
  }

  /** The bytes from the end of the row before to there, without line ends around them, nor the file's byte order mark. */
  row(endBytes: number): Uint8Array {
    const length = endBytes - this.#droppedBytes;
    const [first = noBytes] = this.#chunks;
    // A row within one chunk, as most are, is not copied.
    const row = (first.length >= length ? first : Buffer.concat(this.#chunks)).subarray(0, length);
    let from = this.#droppedBytes === 0 && mark.equals(row.subarray(0, mark.length)) ? mark.length : 0;
    let to = row.length;
    while (from < to && isLineEnd(row[from])) from++;
    while (from < to && isLineEnd(row[to - 1])) to--;
    return row.subarray(from, to);
  }

  /** Nobody will ask for the bytes up to there. */
  drop(endBytes: number): void {
    for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
      const left = endBytes - this.#droppedBytes;
      if (first.length > left) {
        this.#chunks[0] = first.subarray(left);
        break;
      }
      this.#chunks.shift();
      this.#droppedBytes += first.length;
    }
    this.#droppedBytes = endBytes;
  }

  /** @throws UsageError where the memory would grow with what is no text */
  #checkBroken(): void {
    const [first] = this.#broken;
    if (first === undefined || this.#broken.length <= brokenMax) return;
    const where = `${describeByte(first.byte, first.offset)} of the file`;
    throw new UsageError(`more than ${brokenMax} bytes of one row are no UTF-8: ${where}`);
  }

  /** The end of the bytes, which the next chunk may complete. */
  #scan(bytes: Uint8Array): Uint8Array {
    let at = 0;
    for (let left = bytes; !isUtf8(left); left = bytes.subarray(at)) {
      at += brokenByteAt(left) ?? 0;
      if (mayGoOn(bytes.subarray(at))) break;
      this.#broken.push({ offset: this.#scannedBytes + at, byte: bytes[at] });
      at++;
    }
    const rest = isUtf8(bytes.subarray(at)) ? new Uint8Array() : bytes.slice(at);
    this.#scannedBytes += bytes.length - rest.length;
    return rest;
  }
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

/** Whether these bytes may begin a character that the next chunk ends. */
function mayGoOn(bytes: Uint8Array): boolean {
  if (bytes.length > unfinishedBytesMax) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
