/** How LevelDB is used. Every option has a default that suits a node with a few GiB of memory. */
export interface LevelOptions {
  /** Bytes of uncompressed blocks kept in memory; default 64 MiB. More makes reads of a large hot set cheaper. */
  readonly cacheBytes?: number;
  /**
   * Bytes of a write-ahead log before it becomes a table; default 16 MiB. Up to two are held in memory. More makes bulk
   * loads faster and the opening after a crash slower.
   */
  readonly writeBufferBytes?: number;
  /** Bytes of a block, before compression; default 4 KiB. A read fetches a whole one. */
  readonly blockBytes?: number;
  /** Bytes of a table file; default 8 MiB. Larger ones mean fewer files and longer compactions. */
  readonly tableBytes?: number;
  /** Files held open at once; default 512. Below the number of tables in use, reads open files again and again. */
  readonly openFilesMax?: number;
  /** Whether blocks are compressed (Snappy); default true. */
  readonly compression?: boolean;
  /** Opens even if acknowledged commits or named state are missing; default false. */
  readonly acceptLoss?: boolean;
  /**
   * About how many bytes of tables are verified before the store is used; default 2 GiB, which takes some seconds. The
   * rest is for a scrub. After a crash all are verified, since a block that cannot be read may have been its cause.
   */
  readonly verifyBytes?: number;
  /** Bytes of the disk kept for deletions and LevelDB's own work: with less free, puts are refused; default 64 MiB. */
  readonly reserveBytes?: number;
}

export const levelDefaults: Required<LevelOptions> = {
  cacheBytes: 64 * 1024 * 1024,
  writeBufferBytes: 16 * 1024 * 1024,
  blockBytes: 4096,
  tableBytes: 8 * 1024 * 1024,
  openFilesMax: 512,
  compression: true,
  acceptLoss: false,
  verifyBytes: 2 * 1024 * 1024 * 1024,
  reserveBytes: 64 * 1024 * 1024,
};
