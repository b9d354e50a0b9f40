/**
 * JSON as text, for numbers that must not go through JavaScript: of `12345678901234567890` it keeps the first 17
 * digits. All these functions take text that JSON.parse has taken.
 */

/** One field of an object, or element of an array, as its text stands. */
export interface JsonPart {
  /** The field's name; an element's index. */
  readonly name: string;
  readonly text: string;
}

/** True where a number in the text would lose digits on its way through JSON.parse and JSON.stringify. */
export function losesDigits(text: string): boolean {
  // A double keeps any number that has fewer digits than this.
  if (!/[0-9.]{16}|[0-9][eE]/.test(text)) return false;
  for (const token of tokensOf(text)) {
    if (/^[-0-9]/.test(token) && !keepsDigits(token)) return true;
  }
  return false;
}

/** The text as JSON.stringify would write it, but for numbers, which keep their digits. */
export function exactJson(text: string): string {
  let exact = '';
  for (const token of tokensOf(text)) exact += token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token;
  return exact;
}

/** The text without white space between its tokens, which stay as they are. */
export function compactJson(text: string): string {
  let compact = '';
  for (const token of tokensOf(text)) compact += token;
  return compact;
}

/**
 * The text with each field and element in a line of its own. Its tokens keep their form and order: numbers keep their
 * digits, fields that stand twice do so, and no field moves. Undefined if it is nested deeper than `depthMax`, or would
 * be longer than `charactersMax`: indented text grows with its depth.
 */
export function indentedJson(
  text: string,
  { depthMax, charactersMax }: { readonly depthMax: number; readonly charactersMax: number },
): string | undefined {
  let [indented, depth, before] = ['', 0, ''];
  for (const token of tokensOf(text)) {
    const isEnd = token === '}' || token === ']';
    if (isEnd) depth--;
    const isFirst = before === '{' || before === '[';
    if (isFirst ? !isEnd : isEnd || before === ',') indented += `\n${'  '.repeat(depth)}`;
    indented += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
    if (depth > depthMax || indented.length > charactersMax) return undefined;
    before = token;
  }
  return indented;
}

/** The parts of an object or array; none of anything else. A field that stands twice comes twice. */
export function partsOf(text: string): JsonPart[] {
  const parts: JsonPart[] = [];
  let depth = 0;
  let name: string | undefined;
  let piece = '';
  let isObject = false;
  for (const token of tokensOf(text)) {
    const isEnd = token === '}' || token === ']';
    if (isEnd) depth--;
    if (depth === 1 && token === ':' && name === undefined) {
      name = String(JSON.parse(piece));
      piece = '';
    } else if ((depth === 1 && token === ',') || (depth === 0 && isEnd)) {
      if (piece !== '') parts.push({ name: isObject ? (name ?? '') : String(parts.length), text: piece });
      name = undefined;
      piece = '';
    } else if (depth > 0) piece += token;
    else isObject = token === '{';
    if (token === '{' || token === '[') depth++;
    if (depth === 1 && !isObject) name = '';
  }
  return parts;
}

/** Strings, numbers, words and marks, without the white space between them. */
function* tokensOf(text: string): Generator<string, void> {
  for (let at = 0; at < text.length; ) {
    const unit = text.charAt(at);
    if (' \t\n\r'.includes(unit)) at++;
    else if ('{}[],:'.includes(unit)) {
      yield unit;
      at++;
    } else {
      const end = unit === '"' ? stringEnd(text, at) : wordEnd(text, at);
      yield text.slice(at, end);
      at = end;
    }
  }
}

/** By hand: a regular expression's stack has no room for a string of megabytes. */
function stringEnd(text: string, from: number): number {
  for (let quote = text.indexOf('"', from + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    // An even number of backslashes stands for literal ones, which escape nothing.
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !'{}[],: \t\n\r'.includes(text.charAt(at))) at++;
  return at;
}

/** Compares the decimal digits and the power of ten of the last one: `1.50e3` is 15 and 2, as `1500` is. */
function keepsDigits(token: string): boolean {
  const number = Number(token);
  return Number.isFinite(number) && decimalOf(token) === decimalOf(String(number));
}

function decimalOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  return `${significant}e${significant === '' ? 0 : Number(exponent) - fraction.length + digits.length - significant.length}`;
}
