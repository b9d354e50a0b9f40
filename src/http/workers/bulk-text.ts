import { limits } from '../../model/limits.ts';
import { Refusal } from './refusal.ts';

/**
 * What the JSON of a bulk write may hold, beside its bytes. Parsed it takes memory by its brackets and commas, of which
 * a short text may have tens of millions; 10,000 pairs whose metadata are all small numbers have some four.
 */
const bounds = {
  /** Brackets, commas and colons outside of strings. */
  marks: 4_000_000,
  /** Arrays and objects inside each other; metadata have at most 1024 bytes. */
  depth: 1024,
} as const;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Looks at the text of a JSON array before it is parsed. @throws Refusal 413 with the limit and what was seen */
export function checkBulkText(text: Buffer): void {
  let [marks, depth, deepest, commas] = [0, 0, 0, 0];
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (isInString) {
      if (byte === backslash) at++;
      else if (byte === quote) isInString = false;
    } else if (byte === quote) isInString = true;
    else if (byte === openArray || byte === openObject) {
      marks++;
      deepest = Math.max(deepest, ++depth);
    } else if (byte === closeArray || byte === closeObject) {
      marks++;
      depth--;
    } else if (byte === comma || byte === colon) {
      marks++;
      if (depth === 1 && byte === comma) commas++;
    }
  }
  const items = commas + 1;
  if (items > limits.batchMutationsMax) {
    throw new Refusal(413, `${items} keys exceed limit of ${limits.batchMutationsMax}`, 10024);
  }
  check('brackets, commas and colons', bounds.marks, marks);
  check('levels of arrays and objects', bounds.depth, deepest);
}

function check(what: string, limit: number, seen: number): void {
  if (seen > limit) throw new Refusal(413, `the request body has ${seen} ${what}; its limit is ${limit}`, 10024);
}
