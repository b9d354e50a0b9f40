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
}

export const levelDefaults: Required<LevelOptions> = {
  cacheBytes: 64 * 1024 * 1024,
  writeBufferBytes: 16 * 1024 * 1024,
  blockBytes: 4096,
  tableBytes: 8 * 1024 * 1024,
  openFilesMax: 512,
  compression: true,
};
