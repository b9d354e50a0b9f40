import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/*
 * How many commits of a store were synced, kept beside LevelDB in the file ACKNOWLEDGED of its folder: a start that
 * finds fewer has lost some. LevelDB cannot tell, since a log that is gone looks to it like one that never was.
 *
 * The number is written after each sync and is not synced itself, which would double what a commit costs. So it
 * survives the end of the process whatever its cause, and after a power cut it may be some seconds old: then it claims
 * less than was acknowledged, and never more. For that case each batch carries the number too (commit-count.ts).
 * Two slots are written in turn, so that one which is torn or damaged leaves the other. They never grow: a full disk
 * does not stop them.
 */
export class Acknowledged {
  readonly #file: number;
  #commits: number;
  #closed = false;

  private constructor(file: number, commits: number) {
    this.#file = file;
    this.#commits = commits;
  }

  /** Makes the file if it is absent, in a folder that is there. */
  static open(directory: string): Acknowledged {
    const file = openSync(join(directory, acknowledgedName), 'a+');
    closeSync(file); // Creates the file if it was not there, and truncates nothing.
    const writable = openSync(join(directory, acknowledgedName), 'r+');
    try {
      const acknowledged = new Acknowledged(writable, read(writable).commits);
      writeSync(writable, Buffer.from([inUse]), 0, 1, useAt);
      fdatasyncSync(writable);
      return acknowledged;
    } catch (error) {
      closeSync(writable); // A store whose disk fails is opened again and again: none of these may leak a file.
      throw error;
    }
  }

  get commits(): number {
    return this.#commits;
  }

  set(commits: number): void {
    this.#commits = commits;
    writeSync(this.#file, encode(commits), 0, sumAt + 4, (commits % 2) * slotBytes);
  }

  /** Goes back to fewer commits, which the operator accepted: both slots, synced. */
  reset(commits: number): void {
    this.#commits = commits;
    for (const slot of [0, 1]) writeSync(this.#file, encode(commits), 0, sumAt + 4, slot * slotBytes);
    fdatasyncSync(this.#file);
  }

  /** Idempotent. @param well false if the store broke: then the next opening verifies all of it, as after a crash */
  close(well: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (well) writeSync(this.#file, Buffer.from([unused]), 0, 1, useAt);
      fdatasyncSync(this.#file);
    } finally {
      closeSync(this.#file);
    }
  }
}

export interface Claim {
  /** How many commits the folder must hold at least; 0 if it claims nothing. */
  readonly commits: number;
  /** The process that last had it open closed it. */
  readonly closedWell: boolean;
}

export function readAcknowledged(directory: string): Claim {
  let file: number;
  try {
    file = openSync(join(directory, acknowledgedName), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { commits: 0, closedWell: true };
    throw error;
  }
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

const acknowledgedName = 'ACKNOWLEDGED';
/** A slot is the number 6, its checksum 4; they lie so far apart that no sector holds both. */
const slotBytes = 4096;
const sumAt = 6;
/** After the slots: whether the store is open. */
const useAt = 2 * slotBytes;
const inUse = 1;
const unused = 0;

function encode(commits: number): Buffer {
  const slot = Buffer.alloc(sumAt + 4);
  slot.writeUIntBE(commits, 0, sumAt);
  slot.writeUInt32BE(crc32(slot.subarray(0, sumAt)), sumAt);
  return slot;
}

function read(file: number): Claim {
  const bytes = Buffer.alloc(useAt + 1);
  const length = readSync(file, bytes, 0, bytes.length, 0);
  let commits = 0;
  for (let at = 0; at < useAt && at + sumAt + 4 <= length; at += slotBytes) {
    const sum = bytes.readUInt32BE(at + sumAt);
    if (sum === crc32(bytes.subarray(at, at + sumAt))) commits = Math.max(commits, bytes.readUIntBE(at, sumAt));
  }
  return { commits, closedWell: bytes[useAt] === unused };
}
