import { basename, extname } from 'node:path';
import { shownUrl } from '../shown-text.ts';
import { UsageError } from '../usage-error.ts';

export const fileFormats = ['ndjson', 'csv', 'workers-kv'] as const;

/** `workers-kv` is the bulk form of Workers KV: one JSON array. */
export type FileFormat = (typeof fileFormats)[number];

/**
 * What import takes beyond that: what `etcdctl get --prefix '' -w json` and `consul kv export` print, BGSAVE of Redis
 * writes, and an origin keeps apart.
 */
export const importFormats = [...fileFormats, 'etcd', 'consul', 'rdb', 'kept-apart'] as const;

export type ImportFormat = (typeof importFormats)[number];

const byExtension: Readonly<Record<string, FileFormat>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.csv': 'csv',
  '.json': 'workers-kv',
};

/** As `formatOf`, for whoever reads. @throws UsageError */
export function importFormatOf(named: ImportFormat | undefined, path: string): ImportFormat {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    throw new UsageError(
      `${shownUrl(path)} is no file: of stores that run, import reads redis://, etcd:// and etcds://`,
    );
  }
  if (named === undefined && /\.rdb(\.(gz|zst))?$/i.test(path)) return 'rdb';
  if (named === undefined && /^kept-apart-.*\.ndjson(\.(gz|zst))?$/.test(basename(path))) return 'kept-apart';
  return formatOf(named, path, importFormats);
}

/** As named, else as the file's name ends, compressed or not. @throws UsageError where neither tells */
export function formatOf<Format extends ImportFormat>(
  named: Format | undefined,
  path: string | undefined,
  formats: readonly string[] = fileFormats,
): Format | FileFormat {
  const plain = (path ?? '').replace(/\.(gz|zst)$/i, '');
  const format = named ?? byExtension[extname(plain).toLowerCase()];
  if (format !== undefined) return format;
  const unclear = plain === '' ? '' : `, and the name ${JSON.stringify(path)} does not say it`;
  throw new UsageError(`--format is missing${unclear}: one of ${formats.join(', ')}`);
}
