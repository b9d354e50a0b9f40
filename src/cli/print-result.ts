import type { Entry } from '../client/listing.ts';
import { recordJson } from '../node/record-json.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** How results are printed: for people, or for programs. */
export const outputForms = ['table', 'json', 'yaml'] as const;

/** The flags of whoever prints results. */
export const outputFlags = {
  output: {
    choices: outputForms,
    requiresArg: true,
    describe: 'How results are printed: for people, as JSON (one object a line), or as YAML; default: table',
  },
  json: { type: 'boolean', default: false, describe: 'Short for --output json' },
} as const;

/** As they reach a command: `json` is true where the output is for a program, in either form. */
export interface OutputWords {
  readonly json: boolean;
  readonly output?: string | undefined;
}

/** @throws UsageError where both flags are given and say different things */
export function withOutputForm<Words extends Partial<OutputWords>>(words: Words): Words {
  const { json, output } = words;
  if (output === undefined) return words;
  if (json === true && output !== 'json') throw new UsageError(`--json and --output ${output} exclude each other`);
  return { ...words, json: output !== 'table' };
}

/** Whether failures are told to a program. */
export function isForProgram(words: readonly string[]): boolean {
  const isForm = (text: string | undefined) => text === 'json' || text === 'yaml';
  return words.some((word, index) => {
    if (word === '--output') return isForm(words[index + 1]);
    return word === '--json' || (word.startsWith('--output=') && isForm(word.slice('--output='.length)));
  });
}

/** One result: an object for programs, or a text for people, to which a line end is added where it has none. */
export async function printResult(
  words: OutputWords,
  { write }: Pick<Terminal, 'write'>,
  result: object,
  text: string,
): Promise<void> {
  if (!words.json) await write(text.endsWith('\n') ? text : `${text}\n`);
  else if (words.output === 'yaml') await write((await yamlWriter())(result));
  else await write(`${jsonOf(result)}\n`);
}

/** One of several results. */
export interface PrintedItem {
  readonly item: object;
  /** One line, without its end. */
  readonly text: string;
}

export interface ItemPrinter {
  print(items: readonly PrintedItem[]): Promise<void>;
  /** Called in the end, where there is one. */
  end(): Promise<void>;
}

/** Prints results as they come, one a line; as YAML, as one list. */
export async function itemPrinter(words: OutputWords, { write }: Pick<Terminal, 'write'>): Promise<ItemPrinter> {
  const lineOf = await lineWriter(words);
  let isEmpty = true;
  return {
    print: async (items) => {
      if (items.length === 0) return;
      isEmpty = false;
      await write(items.map(lineOf).join(''));
    },
    end: async () => {
      if (isEmpty && words.json && words.output === 'yaml') await write('[]\n');
    },
  };
}

/** Results that are there: as a text for people, such as a table, or one by one. */
export async function printAll(
  words: OutputWords,
  terminal: Pick<Terminal, 'write'>,
  items: readonly object[],
  text: () => string,
): Promise<void> {
  if (!words.json) {
    await terminal.write(text());
    return;
  }
  const printer = await itemPrinter(words, terminal);
  await printer.print(items.map((item) => ({ item, text: '' })));
  await printer.end();
}

async function lineWriter({ json, output }: OutputWords): Promise<(printed: PrintedItem) => string> {
  if (!json) return ({ text }) => `${text}\n`;
  if (output !== 'yaml') return ({ item }) => `${jsonOf(item)}\n`;
  const yaml = await yamlWriter();
  return ({ item }) => yaml([item]);
}

/**
 * What programs are told of a result. The metadata of a record, a change or an answer is printed as its text stands, and not as what
 * JavaScript made of it: numbers keep their digits.
 */
function jsonOf(result: object): string {
  const { metadata: _, metadataText, ...fields } = result as Partial<Pick<Entry<unknown>, 'metadata' | 'metadataText'>>;
  if (metadataText === undefined) return JSON.stringify(result);
  if (metadataText === null) return JSON.stringify({ ...fields, metadata: null });
  return recordJson(fields, metadataText);
}

/** Few commands write YAML, and none pays for it otherwise. */
async function yamlWriter(): Promise<(value: object | readonly object[]) => string> {
  const { yamlOf } = await import('./yaml-of.ts');
  return (value) => yamlOf(Array.isArray(value) ? `[${value.map(jsonOf).join()}]` : jsonOf(value));
}
