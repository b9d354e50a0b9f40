/** What somebody did, or tried to do. It never holds a value or a secret. */
export interface AuditEntry {
  /** Name of the token; `anonymous` where the node asks for none. */
  readonly who: string;
  readonly tokenId: string;
  /** The remote address: of an edge, where that passed it on. */
  readonly address: string;
  /** `namespace.create`, `token.revoke`, `write`, … */
  readonly action: string;
  /** Names that it is about: titles, ids, of members or tokens. */
  readonly about: readonly string[];
  /** Of a write: some of its keys, and how many there are. */
  readonly keys?: readonly string[];
  readonly keyCount?: number;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
}

/** Where such entries go. */
export interface Audit {
  /** Whether writes of keys are told too, and not administration alone. */
  readonly writes: boolean;
  /** Returns at once and throws nothing. */
  record(entry: AuditEntry): void;
}

/** Keys of one entry. */
export const auditKeysMax = 10;

/** Characters of a name in an entry: as many as the longest title, key or name of a token that is one. */
const nameLengthMax = 512;

/**
 * A name as an entry has it. What is refused may be megabytes long: few such lines would fill what waits for the disk, and
 * those of others would be lost.
 */
export function auditName(name: string): string {
  return name.length <= nameLengthMax ? name : `${name.slice(0, nameLengthMax)}…`;
}
