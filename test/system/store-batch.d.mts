import type { LiveRecord } from '../../src/model/record.ts';

export declare const keysABatch: number;
export declare function batchOf(n: number): LiveRecord[];
