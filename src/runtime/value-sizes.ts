import { rememberLatest } from './remember-latest.ts';

export interface ValueSizesOptions {
  /** Bytes: smaller values are not remembered one by one where all of their namespace are small. */
  readonly largeBytesMin: number;
  /** Bytes that a value is taken to have in a namespace of which none was read. */
  readonly unknownBytes: number;
  /** Names, and namespaces, whose size is remembered. */
  readonly namesMax: number;
}

/** What a namespace's next value is taken to have falls by so much with each smaller one. */
const fading = 0.9;

/**
 * How many bytes values had when they were read last, and how many one may have that was not read yet: as many as the
 * largest of its namespace lately. A namespace that shows small values alone is soon expected to have no others.
 */
export class ValueSizes {
  readonly #options: ValueSizesOptions;
  /** The oldest first. */
  readonly #byName = new Map<string, number>();
  readonly #byNamespace = new Map<string, number>();

  constructor(options: ValueSizesOptions) {
    this.#options = options;
  }

  /** Bytes that the value had when it was read last; undefined where that is unknown. */
  known(namespace: string, key: string): number | undefined {
    return this.#byName.size === 0 ? undefined : this.#byName.get(`${namespace}\0${key}`);
  }

  /** Bytes that any value of the namespace may be expected to have; 0 where it shows small ones alone. */
  expected(namespace: string): number {
    return this.#byNamespace.get(namespace) ?? this.#options.unknownBytes;
  }

  note(namespace: string, key: string, bytes: number): void {
    const { largeBytesMin, namesMax } = this.#options;
    const before = this.expected(namespace);
    // Nobody asks for it. One that was large once may be known for that.
    if (before === 0 && bytes < largeBytesMin && this.known(namespace, key) === undefined) return;
    const faded = Math.max(bytes, before * fading);
    if (before !== 0 || bytes >= largeBytesMin) {
      rememberLatest(this.#byNamespace, namespace, faded < largeBytesMin ? 0 : faded, namesMax);
    }
    rememberLatest(this.#byName, `${namespace}\0${key}`, bytes, namesMax);
  }

  /** Nothing is known of it any more. */
  forget(namespace: string, key: string): void {
    this.#byName.delete(`${namespace}\0${key}`);
  }
}
