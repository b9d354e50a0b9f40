import { type ScalarTag, stringify } from 'yaml';
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

/** JSON as YAML: every number with all its digits, and no line folded. */
export function yamlOf(json: string): string {
  return stringify(exactValue(json), { lineWidth: 0, customTags: (tags) => [longNumberTag, ...tags] });
}

function exactValue(json: string): unknown {
  if (!losesDigits(json)) return JSON.parse(json);
  if (json.startsWith('{')) return Object.fromEntries(partsOf(json).map(({ name, text }) => [name, exactValue(text)]));
  if (json.startsWith('[')) return partsOf(json).map(({ text }) => exactValue(text));
  return new LongNumber(json);
}
