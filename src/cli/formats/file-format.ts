import { extname } from 'node:path';
import { UsageError } from '../usage-error.ts';

export const fileFormats = ['ndjson', 'csv', 'workers-kv'] as const;

/** `workers-kv` is the bulk form of Workers KV: one JSON array. */
export type FileFormat = (typeof fileFormats)[number];

/** What import takes beyond that: what `etcdctl get --prefix '' -w json` and `consul kv export` print. */
export const importFormats = [...fileFormats, 'etcd', 'consul'] as const;

export type ImportFormat = (typeof importFormats)[number];

const byExtension: Readonly<Record<string, FileFormat>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.csv': 'csv',
  '.json': 'workers-kv',
};

/** As named, else as the file's name ends, compressed or not. @throws UsageError where neither tells */
export function formatOf<Format extends ImportFormat>(
  named: Format | undefined,
  path: string | undefined,
): Format | FileFormat {
  const plain = (path ?? '').replace(/\.(gz|zst)$/i, '');
  const format = named ?? byExtension[extname(plain).toLowerCase()];
  if (format !== undefined) return format;
  throw new UsageError(`--format is missing: one of ${fileFormats.join(', ')}`);
}
