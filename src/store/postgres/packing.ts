import type { RecordKey } from '../../model/key.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import { bytesOf } from './sql-client.ts';

/*
 * Many rows travel as one parameter of bytes and some arrays of numbers, so one prepared statement serves batches of every
 * size. An array of byte strings would travel as text, in hex, which takes twice the room:
 *
 *     bytes     namespace key | namespace key | …
 *     offsets   {0, 21, …}      where each row begins
 *     lengths   {5, 7, …}       of each key
 *
 * In SQL the fields of a row are cut out by `substring(bytes FROM offset + 1 FOR length)`.
 */

export const namespaceBytes = 16;

/** Rows of one statement, being put together. */
export class PackedRows {
  readonly #parts: Uint8Array[] = [];
  readonly #columns: number[][];
  #bytes = 0;
  #rows = 0;

  /** @param columns numbers that each row has besides its offset */
  constructor(columns: number) {
    this.#columns = Array.from({ length: columns + 1 }, () => []);
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `NaN` stands for no number. */
  add(parts: readonly Uint8Array[], numbers: readonly number[]): void {
    this.#columns[0]?.push(this.#bytes);
    numbers.forEach((value, index) => {
      this.#columns[index + 1]?.push(value);
    });
    for (const part of parts) {
      this.#parts.push(part);
      this.#bytes += part.byteLength;
    }
    this.#rows++;
  }

  /** The bytes, and one array a column, as parameters. */
  values(): readonly (Buffer | string)[] {
    const arrays = this.#columns.map((column) => `{${column.map((n) => (Number.isNaN(n) ? 'NULL' : n)).join(',')}}`);
    return [Buffer.concat(this.#parts), ...arrays];
  }
}

export function namespaceBytesOf(namespace: NamespaceId): Buffer {
  return Buffer.from(namespace, 'hex');
}

export function packKeys(keys: readonly RecordKey[]): PackedRows {
  const packed = new PackedRows(1);
  for (const { namespace, key } of keys) {
    const bytes = Buffer.from(key);
    packed.add([namespaceBytesOf(namespace), bytes], [bytes.byteLength]);
  }
  return packed;
}

/** The record key in two columns of bytes, in hex. */
export function recordKeyOf(namespace: string | null | undefined, key: string | null | undefined): RecordKey {
  return { namespace: (namespace ?? '').slice(2) as NamespaceId, key: bytesOf(key).toString() };
}
