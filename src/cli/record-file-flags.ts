import { type ImportFormat, importFormats } from './formats/file-format.ts';
import type { RecordFile } from './formats/read-records.ts';
import { UsageError } from './usage-error.ts';

/** The flags that say what the records of a file are. */
export interface RecordFileWords {
  readonly format?: ImportFormat | undefined;
  readonly 'key-column'?: string | undefined;
  readonly 'value-column'?: string | undefined;
  readonly columns?: string | undefined;
  readonly database?: string | undefined;
  readonly 'from-namespace'?: string | undefined;
}

export const recordFileFlags = {
  format: {
    choices: importFormats,
    requiresArg: true,
    describe:
      'Of a file in UTF-8. Default: as the name ends, before .gz or .zst. ndjson: one {"key","value",…} a line; workers-kv: its bulk JSON array; etcd: etcdctl get --prefix= -w json; consul: consul kv export; rdb: what BGSAVE of Redis writes; kept-apart: what an origin that joined anew kept apart',
  },
  'key-column': {
    type: 'string',
    requiresArg: true,
    describe: 'Column of a CSV, or field of JSON objects, that is the key; default: key',
  },
  'value-column': {
    type: 'string',
    requiresArg: true,
    describe:
      'Column or field that is the value; default: value, or else the whole CSV row as JSON; with --key-column, the rest of a JSON object',
  },
  columns: {
    type: 'string',
    requiresArg: true,
    describe: 'CSV without a heading: names of its columns, by commas',
  },
  database: { type: 'string', requiresArg: true, describe: 'Number of the database of an RDB file; default: 0' },
  'from-namespace': {
    type: 'string',
    requiresArg: true,
    describe:
      'Id of the namespace whose records are taken from what was kept apart; default: that of the namespace named',
  },
} as const;

/** @throws UsageError for flags that are of another format */
export function recordFileOf(words: RecordFileWords, format: ImportFormat): RecordFile {
  const { 'key-column': keyColumn, 'value-column': valueColumn, columns, database } = words;
  const namespace = words['from-namespace'];
  if (columns !== undefined && format !== 'csv') throw new UsageError('--columns is for CSV alone');
  if (database !== undefined && format !== 'rdb') throw new UsageError('--database is for RDB files alone');
  if (namespace !== undefined && format !== 'kept-apart') {
    throw new UsageError('--from-namespace is for what an origin kept apart alone');
  }
  if (namespace !== undefined && !/^[0-9a-f]{32}$/.test(namespace)) {
    throw new UsageError(`--from-namespace must be an id, 32 hexadecimal digits; it is "${namespace}"`);
  }
  if (database !== undefined && !/^\d{1,9}$/.test(database)) {
    throw new UsageError(`--database must be a whole number, 0 or more; it is "${database}"`);
  }
  const number = database === undefined ? undefined : Number(database);
  return { format, keyColumn, valueColumn, columns: columns?.split(','), database: number, namespace };
}
