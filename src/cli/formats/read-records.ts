import { unreachable } from '../../model/assert.ts';
import type { ImportFormat } from './file-format.ts';
import type { ImportRecord } from './import-record.ts';
import { readRdb } from './rdb/read-rdb.ts';
import { type CsvColumns, readCsv } from './read-csv.ts';
import { readKeptApart } from './read-kept-apart.ts';
import { readObjects } from './read-objects.ts';
import { listOfEtcd, recordOfConsul, recordOfEtcd } from './read-other-stores.ts';
import { recordOfColumns } from './record-of-columns.ts';
import type { UnreadRecord } from './unread-record.ts';

/** What the records of a file are. */
export interface RecordFile extends CsvColumns {
  readonly format: ImportFormat;
  /** Of an RDB file. Default: 0. */
  readonly database?: number | undefined;
  /** Of what an origin kept apart: the id of the namespace whose records are read. */
  readonly namespace?: string | undefined;
}

export interface RecordReading<Unread> extends RecordFile {
  /** Of what an origin kept apart: whether deletions are read. Default: no. */
  readonly withDeletions?: boolean;
  /** What stands for a record that cannot be read. Default: the reading ends with the error. */
  readonly unread?: UnreadRecord<Unread> | undefined;
  /** Told of what is left out. */
  readonly note: (line: string) => void;
}

/** The records of a file's bytes, in its order. @throws UsageError where they are not of that format */
export function readRecords<Unread = never>(
  input: AsyncIterable<Uint8Array>,
  { format, database = 0, namespace = '', withDeletions = false, unread, note, ...columns }: RecordReading<Unread>,
): AsyncIterable<ImportRecord | Unread> {
  switch (format) {
    case 'etcd':
      return readObjects(listOfEtcd(input), { recordOf: recordOfEtcd, unread });
    case 'consul':
      return readObjects(input, { recordOf: recordOfConsul, unread });
    case 'csv':
      return readCsv(input, columns, unread);
    case 'ndjson':
    case 'workers-kv':
      return readObjects(input, { recordOf: (text, place) => recordOfColumns(text, columns, place), unread });
    case 'kept-apart':
      return readKeptApart(input, { namespace, withDeletions, unread, note });
    case 'rdb':
      return readRdb(input, { database, note, unread });
    default:
      return unreachable(format);
  }
}
