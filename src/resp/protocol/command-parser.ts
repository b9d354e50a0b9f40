import { inlineWords } from './inline-words.ts';

export interface ParserLimits {
  /** Arguments of one command, its name too. */
  readonly argumentsMax: number;
  /** Bytes of one argument. One that is longer is dropped as it comes, and its command refused. */
  readonly argumentBytesMax: number;
  /** Bytes of all arguments of one command; likewise. */
  readonly commandBytesMax: number;
  /** Bytes of one argument beyond which the connection is given up: nobody means that. */
  readonly droppedBytesMax: number;
  /** Bytes of an inline command. */
  readonly inlineBytesMax: number;
  /** Bytes of a command that comes in pieces, beyond which it needs leave: see `wanted`. */
  readonly smallBytesMax: number;
}

export interface Command {
  /** The name first. They share memory with the input: whoever keeps one copies it. */
  readonly args: readonly Buffer[];
  /** Set where it was too large: the error to answer. Its name is all that is left of it. */
  readonly refusal?: string;
}

/** The bytes are no RESP: nothing behind them can be understood. The message is what Redis says. */
export class ProtocolError extends Error {}

/** What a command needs leave for before its bytes are gathered. */
export interface Wanted {
  /** Bytes so far, with all of the argument that comes. */
  readonly bytes: number;
  /** Arguments that follow behind that one. */
  readonly argumentsLeft: number;
}

const [star, dollar, minus, zero, nine] = [0x2a, 0x24, 0x2d, 0x30, 0x39];
const [carriageReturn, newline] = [0x0d, 0x0a];
/** Bytes of memory that an argument takes besides its own. */
const argumentBytes = 64;
/** Digits and a sign, of a number that a safe integer holds. */
const numberLengthMax = 16;
const nothing = Buffer.alloc(0);

/**
 * Commands out of the bytes of one connection, however they are cut: arrays of bulk strings, or inline. Arguments that lie
 * whole in one piece of input are not copied. Memory is bounded by the limits, and what is not small is gathered with
 * leave alone.
 */
export class CommandParser {
  readonly #limits: ParserLimits;
  #input: Buffer = nothing;
  #at = 0;
  /** Of the command that is not whole yet. */
  #args: Buffer[] | undefined;
  #left = 0;
  #bytes = 0;
  /** Those of the pieces of input before the present one, which are kept for it. */
  #keptBytes = 0;
  #refusal: string | undefined;
  /** Bytes of the argument whose header was read. */
  #length: number | undefined;
  /** The same argument and its end of line, as far as it came. */
  #gathered: Buffer | undefined;
  #filled = 0;
  #toDrop = 0;
  #granted = 0;

  constructor(limits: ParserLimits) {
    this.#limits = limits;
  }

  /** Set when `next` found no command since it needs leave. */
  get wanted(): Wanted | undefined {
    const length = this.#length;
    if (length === undefined || this.#gathered !== undefined || this.#toDrop > 0) return undefined;
    return { bytes: this.#bytes + length, argumentsLeft: this.#left - 1 };
  }

  /** True within a command. */
  get isWithin(): boolean {
    return this.#args !== undefined || this.#at < this.#input.length;
  }

  /** The command under way may have so many bytes. */
  grant(bytes: number): void {
    this.#granted = bytes;
  }

  /** The command that wants leave does not get it: the rest of it is dropped as it comes. */
  refuse(why: string): void {
    if (this.#length === undefined || this.#gathered !== undefined) return;
    this.#refusal = why;
    this.#toDrop = this.#length + 2;
    this.#length = undefined;
    if (this.#args !== undefined) this.#args.length = Math.min(this.#args.length, 1);
  }

  /** The bytes belong to the parser from here on. */
  push(bytes: Buffer): void {
    const rest = this.#input.length - this.#at;
    this.#input = rest === 0 ? bytes : Buffer.concat([this.#input.subarray(this.#at), bytes]);
    this.#at = 0;
    this.#keptBytes = this.#bytes;
  }

  /** The next whole command; undefined where more bytes, or leave, are needed. @throws ProtocolError */
  next(): Command | undefined {
    for (;;) {
      if (this.#args === undefined) {
        if (this.#at >= this.#input.length) return undefined;
        if (this.#input[this.#at] !== star) {
          const words = this.#inline();
          if (words === undefined || words.length > 0) return words && { args: words };
          continue;
        }
        const count = this.#number('invalid multibulk length');
        if (count === undefined) return undefined;
        if (count <= 0) continue;
        if (count > this.#limits.argumentsMax) throw new ProtocolError('invalid multibulk length');
        this.#args = [];
        this.#left = count;
      }
      while (this.#left > 0) if (!this.#argument(this.#args)) return undefined;
      return this.#whole(this.#args);
    }
  }

  #whole(args: readonly Buffer[]): Command {
    const refusal = this.#refusal;
    this.#args = undefined;
    this.#bytes = 0;
    this.#keptBytes = 0;
    this.#granted = 0;
    this.#refusal = undefined;
    return refusal === undefined ? { args } : { args, refusal };
  }

  /** Reads on in one argument. False where more bytes, or leave, are needed. */
  #argument(args: Buffer[]): boolean {
    if (this.#toDrop > 0) return this.#drop();
    if (this.#gathered !== undefined) return this.#gather(args, this.#gathered);
    if (this.#length === undefined) {
      if (this.#at >= this.#input.length) return false;
      const byte = this.#input[this.#at] ?? 0;
      if (byte !== dollar) throw new ProtocolError(`expected '$', got '${printable(byte)}'`);
      const length = this.#number('invalid bulk length');
      if (length === undefined) return false;
      if (length < 0 || length > this.#limits.droppedBytesMax) throw new ProtocolError('invalid bulk length');
      if (this.#isTooLarge(args, length)) {
        this.#toDrop = length + 2;
        return this.#drop();
      }
      this.#length = length;
    }
    const length = this.#length;
    const end = this.#at + length;
    const { smallBytesMax } = this.#limits;
    // Arguments that come one by one are gathered as well, though each lies whole in its piece.
    if (this.#keptBytes > smallBytesMax && this.#bytes + length > this.#granted) return false;
    if (end + 2 <= this.#input.length) {
      this.#checkEnd(this.#input, end);
      args.push(this.#input.subarray(this.#at, end));
      this.#at = end + 2;
      this.#argumentDone(length);
      return true;
    }
    const bytes = this.#bytes + length;
    if (bytes > smallBytesMax && bytes > this.#granted) return false;
    this.#gathered = Buffer.allocUnsafeSlow(length + 2);
    this.#filled = 0;
    return this.#gather(args, this.#gathered);
  }

  #gather(args: Buffer[], gathered: Buffer): boolean {
    const copied = this.#input.copy(gathered, this.#filled, this.#at);
    this.#at += copied;
    this.#filled += copied;
    if (this.#filled < gathered.length) return false;
    const length = gathered.length - 2;
    this.#checkEnd(gathered, length);
    args.push(gathered.subarray(0, length));
    this.#gathered = undefined;
    this.#argumentDone(length);
    return true;
  }

  #drop(): boolean {
    const dropped = Math.min(this.#toDrop, this.#input.length - this.#at);
    this.#at += dropped;
    this.#toDrop -= dropped;
    if (this.#toDrop > 0) return false;
    this.#left--;
    return true;
  }

  #argumentDone(length: number): void {
    this.#length = undefined;
    this.#bytes += length + argumentBytes;
    this.#left--;
  }

  /** Lets go of what came of a command that is refused, but for its name. */
  #isTooLarge(args: Buffer[], length: number): boolean {
    const { argumentBytesMax, commandBytesMax } = this.#limits;
    if (this.#refusal === undefined && length > argumentBytesMax) {
      this.#refusal = `ERR an argument has at most ${argumentBytesMax} bytes; this one has ${length}`;
    } else if (this.#refusal === undefined && this.#bytes + length > commandBytesMax) {
      this.#refusal = `ERR the arguments of a command have at most ${commandBytesMax} bytes in all`;
    }
    if (this.#refusal === undefined) return false;
    args.length = Math.min(args.length, 1);
    return true;
  }

  #checkEnd(bytes: Buffer, at: number): void {
    if (bytes[at] === carriageReturn && bytes[at + 1] === newline) return;
    throw new ProtocolError('expected an end of line behind a bulk string');
  }

  /** The number behind the type's byte; undefined, and nothing read, where its line is not whole. */
  #number(complaint: string): number | undefined {
    const input = this.#input;
    let at = this.#at + 1;
    const isNegative = input[at] === minus;
    if (isNegative) at++;
    const from = at;
    let value = 0;
    for (; at < input.length; at++) {
      const byte = input[at] ?? 0;
      if (byte < zero || byte > nine) break;
      value = value * 10 + byte - zero;
      if (at - from >= numberLengthMax) throw new ProtocolError(complaint);
    }
    if (at >= input.length) return undefined;
    if (at === from || input[at] !== carriageReturn) throw new ProtocolError(complaint);
    if (at + 1 >= input.length) return undefined;
    if (input[at + 1] !== newline) throw new ProtocolError(complaint);
    this.#at = at + 2;
    return isNegative ? -value : value;
  }

  #inline(): Buffer[] | undefined {
    const end = this.#input.indexOf(newline, this.#at);
    const length = (end < 0 ? this.#input.length : end) - this.#at;
    if (length > this.#limits.inlineBytesMax) throw new ProtocolError('too big inline request');
    if (end < 0) return undefined;
    const words = inlineWords(this.#input.subarray(this.#at, end));
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request');
    if (isOfHttp(words)) throw new ProtocolError('this port speaks no HTTP');
    this.#at = end + 1;
    return words;
  }
}

/**
 * A line of a request over HTTP. Any site can have a browser send one from where it stands, past firewalls and to loopback,
 * with a body that reads as commands: so nothing behind it is carried out.
 */
function isOfHttp(words: readonly Buffer[]): boolean {
  const first = words[0]?.toString('latin1', 0, httpWordBytes).toLowerCase();
  if (first === 'post' || first === 'host:') return true;
  return /^HTTP\/\d\.\d$/.test(words.at(-1)?.toString('latin1', 0, httpWordBytes) ?? '');
}

/** Bytes that are looked at of a word: one more than the longest of HTTP that is looked for. */
const httpWordBytes = 9;

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
