import { crc32 } from 'node:zlib';
import { isMeridianError } from '../../src/model/errors.ts';
import { bottomStamp, makeStamp } from '../../src/model/stamp.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { decodeLedgerState, emptyLedgerState, encodeLedgerState } from '../../src/replication/ledger-state.ts';
import { walkLog } from '../../src/store/files/log-file.ts';
import { unpackSnappy } from '../../src/store/files/snappy.ts';
import { parseWriteBatch } from '../../src/store/files/write-batch.ts';
import { decodeCommitCount, encodeCommitCount } from '../../src/store/integrity/commit-count.ts';
import { encodeDamagedRow, encodeRow, isDamaged, parseRow } from '../../src/store/record-row.ts';
import { logs, namespaces } from '../model/arbitraries.ts';
import { check, type FuzzTarget, orRefused } from './target.ts';

const [log] = logs;
const [, namespace] = namespaces;
const key = { namespace: namespace ?? ('' as never), key: 'k' };
const position = { log: log ?? ('' as never), sequence: 7 };
const stamp = makeStamp({ wallMs: 1, counter: 2, log: position.log });
const isDataLoss = (error: unknown) => isMeridianError(error, 'DATA_LOSS');
const isRange = (error: unknown) => error instanceof RangeError;

function checkVector(vector: VersionVector): void {
  for (const [of, sequence] of vector) {
    check(/^[0-9a-f]{16}$/.test(of), 'a vector names logs', of);
    check(Number.isSafeInteger(sequence) && sequence >= 0, 'a vector has sequences', sequence);
  }
}

/** A row whose checksum is right: a disk that damages one seldom leaves it so, and a fuzzer would find none. */
const row: FuzzTarget = {
  name: 'stored-row',
  run: (bytes) => {
    const whole = Buffer.concat([Buffer.alloc(4), bytes]);
    whole.writeUInt32BE(crc32(bytes), 0);
    const parsed = parseRow(key, whole);
    if (isDamaged(parsed)) return;
    const { head } = parsed;
    check(Number.isSafeInteger(head.position.sequence), 'a position has a sequence', head.position);
    if (!('value' in parsed) || head.kind !== 'live' || parsed.value === undefined) return;
    const { valueBytes, ...rest } = head;
    check(valueBytes === parsed.value.byteLength, 'a value is as long as its row says', valueBytes);
    // Flags that are not known are the one thing that is not kept.
    const again = parseRow(key, Buffer.from(encodeRow({ ...rest, value: parsed.value })));
    check(isDamaged(again) || again.head.kind === 'live', 'a record that was read can be written', head);
  },
  seeds: () => {
    const written = { ...key, stamp, position } as const;
    const rows = [
      encodeRow({ kind: 'live', ...written, value: Buffer.from('value') }),
      encodeRow({ kind: 'live', ...written, value: Buffer.alloc(5000), metadata: '{"a":1}', expiresAt: 9 }),
      encodeRow({ kind: 'tombstone', ...written, position: { ...position, log: logs[1] ?? position.log } }),
      encodeDamagedRow(position),
    ];
    return rows.map((bytes) => Buffer.from(bytes).subarray(4));
  },
};

const ledger: FuzzTarget = {
  name: 'stored-ledger',
  run: (bytes) => {
    const state = orRefused(() => decodeLedgerState(bytes), isDataLoss);
    if (state === undefined) return;
    for (const vector of [state.covered, state.floor, state.stable]) checkVector(vector);
    check(/^[0-9a-f]{32}$/.test(state.highWater), 'the highest stamp is one', state.highWater);
    const count = decodeCommitCount(bytes);
    if (count !== undefined)
      check(Buffer.from(encodeCommitCount(count)).equals(bytes), 'a count is read as written', count);
  },
  seeds: () => {
    const vector = new Map([[position.log, 3]]);
    const states = [emptyLedgerState, { covered: vector, floor: vector, stable: vector, highWater: bottomStamp }];
    return states.map((state) => Buffer.from(encodeLedgerState(state)));
  },
};

/** LevelDB's own files, which are read to say what a damaged disk lost. */
const files: FuzzTarget = {
  name: 'stored-files',
  run: (bytes) => {
    let at = -1;
    for (const piece of walkLog(bytes)) {
      check(piece.at > at && piece.at < bytes.length, 'pieces are in their order', piece.at);
      at = piece.at;
    }
    orRefused(() => [...(parseWriteBatch(bytes)?.changes ?? [])], isRange);
    const unpacked = orRefused(() => unpackSnappy(bytes), isRange);
    check((unpacked?.length ?? 0) <= 22 * bytes.length, 'a block is no larger than it may be', unpacked?.length);
  },
  seeds: () => [
    // Of Snappy: a literal and a copy; of a batch: a put and a deletion.
    Buffer.from([9, 0b0000_1000, 97, 98, 99, 0b0000_1001, 3]),
    Buffer.concat([Buffer.alloc(8), Buffer.from([2, 0, 0, 0, 1, 1, 97, 1, 98, 0, 1, 97])]),
    Buffer.concat([Buffer.from([0, 0, 0, 0, 3, 0, 1]), Buffer.from('abc')]),
  ],
};

export const storedTargets: readonly FuzzTarget[] = [row, ledger, files];
