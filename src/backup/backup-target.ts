/** Where backups are kept: files of at most some ten MiB, by names with slashes. */
export interface BackupTarget {
  /** For messages. */
  readonly place: string;
  /** All names, in no order. */
  names(): Promise<readonly string[]>;
  /** @throws NOT_FOUND, UNAVAILABLE */
  read(name: string): Promise<Buffer>;
  /** Whole and on disk, or not there: a name is never half of a file. Takes the place of what was there. @throws UNAVAILABLE */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Idempotent. */
  remove(name: string): Promise<void>;
}
