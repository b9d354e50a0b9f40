import { MeridianError } from '../../model/errors.ts';
import { ByteBudget } from './byte-budget.ts';

const bounds = {
  /** A smaller value goes to the socket at once and is not counted. */
  largeBytesMin: 256 * 1024,
  /** Of all large values on their way to clients. */
  underWayBytesMax: 256 * 1024 * 1024,
  waitingMax: 256,
  /** Names whose last size is remembered. */
  namesMax: 1000,
} as const;

/** The large values that are on their way to the clients of one surface, and which names had such lately. */
export class LargeValues {
  readonly budget: ByteBudget;
  /** The oldest first. */
  readonly #bytesByName = new Map<string, number>();

  constructor(underWayBytesMax: number = bounds.underWayBytesMax) {
    this.budget = new ByteBudget(underWayBytesMax, bounds.waitingMax);
  }

  /** Bytes that the name's value had when it was read last; undefined where that is unknown or was not large. */
  expected(name: readonly [string, string]): number | undefined {
    return this.#bytesByName.size === 0 ? undefined : this.#bytesByName.get(name.join('\0'));
  }

  isLarge(bytes: number): boolean {
    return bytes >= bounds.largeBytesMin;
  }

  /** Whether a value of so many bytes is large; remembers it for the name. */
  note(name: readonly [string, string], bytes: number): boolean {
    const large = this.isLarge(bytes);
    if (!large && this.#bytesByName.size === 0) return false;
    const joined = name.join('\0');
    this.#bytesByName.delete(joined);
    if (!large) return false;
    this.#bytesByName.set(joined, bytes);
    if (this.#bytesByName.size > bounds.namesMax) {
      for (const oldest of this.#bytesByName.keys()) {
        this.#bytesByName.delete(oldest);
        break;
      }
    }
    return true;
  }
}

/** Of those that wait for room there are as many as may. */
export function tooManyValues(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'too many large values under way', {
    reason: 'values-under-way',
    retryAfterMs: 1000,
  });
}
