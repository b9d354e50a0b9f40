import { type ScalarTag, stringify, type Tags } from 'yaml';
import { losesDigits, partsOf } from '../model/json-text.ts';

/** A number whose digits JavaScript's own do not hold. */
class LongNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const longNumberTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  identify: (value) => value instanceof LongNumber,
  resolve: (text) => new LongNumber(text),
  stringify: ({ value }) => (value as LongNumber).text,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in YAML, or end a line there.
const oddCharacters = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Text that stands as JSON has it, with the odd characters escaped. A bare `=` is a type of its own in YAML 1.1. */
const quotedTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:str',
  default: true,
  identify: (value) => typeof value === 'string' && (value === '=' || value.search(oddCharacters) >= 0),
  resolve: (text) => text,
  stringify: ({ value }) =>
    JSON.stringify(value).replace(oddCharacters, (odd) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, '0')}`),
};

/**
 * JSON as YAML: every number with all its digits, and no line folded. Most programs read YAML 1.1, in which `no` is false and
 * 12:30 a number: such texts are quoted.
 */
export function yamlOf(json: string): string {
  const customTags = (tags: Tags) => [longNumberTag, quotedTag, ...tags];
  return stringify(exactValue(json), { lineWidth: 0, compat: 'yaml-1.1', customTags });
}

function exactValue(json: string): unknown {
  if (!losesDigits(json)) return JSON.parse(json);
  if (json.startsWith('{')) return Object.fromEntries(partsOf(json).map(({ name, text }) => [name, exactValue(text)]));
  if (json.startsWith('[')) return partsOf(json).map(({ text }) => exactValue(text));
  return new LongNumber(json);
}
