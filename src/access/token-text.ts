import { hash } from 'node:crypto';
import { isTokenId } from '../model/token.ts';
import type { Random } from '../runtime/random.ts';

/*
 * A token's text: a mark by which scanners of leaked secrets know it, its id, and 256 random bits.
 *
 *     mdn_4f1d0c2b9a876e35_5f0c…64 hex digits…a1
 *
 * The id finds the record, so that no look-up ever compares secrets. Only the SHA-256 of the whole text is kept. A slow
 * hash (scrypt, argon2) makes guessing dear where people choose what is guessed; 2^256 equally likely secrets cannot be
 * guessed however fast the hash is, and a slow one would cost every request milliseconds, and a stranger's request too.
 */

const mark = 'mdn_';
const secretBytes = 32;
const pattern = /^mdn_([0-9a-f]{16})_[0-9a-f]{64}$/;

/** A new id and the text that proves it. */
export function newToken(random: Random): { readonly id: string; readonly text: string } {
  const id = random.hex(8);
  return { id, text: `${mark}${id}_${random.hex(secretBytes)}` };
}

/** The id in a token's text; undefined where the text is of another form. */
export function tokenIdOf(text: string): string | undefined {
  const id = pattern.exec(text)?.[1];
  return id !== undefined && isTokenId(id) ? id : undefined;
}

/** What is kept of a token. */
export function hashOfToken(text: string): string {
  return hash('sha256', text, 'hex');
}
