import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Command,
  CommandParser,
  type ParserLimits,
  ProtocolError,
} from '../../src/resp/protocol/command-parser.ts';
import { encodeCommand } from './served.ts';

const limits: ParserLimits = {
  argumentsMax: 64,
  argumentBytesMax: 4096,
  commandBytesMax: 8192,
  droppedBytesMax: 16_384,
  inlineBytesMax: 256,
  smallBytesMax: 1024,
};

/** All commands in the bytes, given piece by piece; leave is granted wherever it is wanted. */
function parse(pieces: readonly Uint8Array[], seen: string[][] = []): string[][] {
  const parser = new CommandParser(limits);
  for (const piece of pieces) {
    parser.push(Buffer.from(piece));
    for (;;) {
      const command = parser.next();
      if (command !== undefined) seen.push(textsOf(command));
      else if (parser.wanted !== undefined) parser.grant(parser.wanted.bytes);
      else break;
    }
  }
  return seen;
}

function textsOf({ args, refusal }: Command): string[] {
  return [...args.map((arg) => arg.toString('latin1')), ...(refusal === undefined ? [] : [`refused: ${refusal}`])];
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

const argument = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 3000 }));
const commandsOf = fc.array(fc.array(argument, { minLength: 1, maxLength: 4 }), { maxLength: 6 });

describe('the command parser', () => {
  it('finds the same commands however the bytes are cut', () => {
    fc.assert(
      fc.property(commandsOf, fc.array(fc.nat(), { maxLength: 20 }), (commands, places) => {
        const whole = Buffer.concat(commands.map(encodeCommand));
        const fits = (args: readonly Uint8Array[]) => args.reduce((sum, { length }) => sum + length + 64, 0) <= 8192;
        fc.pre(commands.every(fits));
        const expected = commands.map((args) => args.map((arg) => Buffer.from(arg).toString('latin1')));
        expect(parse([whole])).toEqual(expected);
        expect(parse(cut(whole, places))).toEqual(expected);
      }),
    );
  });

  it('does the same with any bytes however they are cut, and holds no more than its limits', () => {
    const garbage = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 30 }),
        fc
          .constantFrom(
            '*',
            '$',
            '\r\n',
            '*1\r\n',
            '*-1\r\n',
            '$3\r\nGET\r\n',
            '$5000\r\n',
            'PING\r\n',
            '"a',
            '$-1\r\n',
            '*2\r\n$1\r\n',
          )
          .map((text) => Buffer.from(text)),
      ),
      { maxLength: 30 },
    );
    const outcome = (pieces: readonly Uint8Array[]) => {
      const seen: string[][] = [];
      try {
        parse(pieces, seen);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        seen.push([String(error)]);
      }
      return seen;
    };
    fc.assert(
      fc.property(garbage, fc.array(fc.nat(), { maxLength: 20 }), (parts, places) => {
        const bytes = Buffer.concat(parts);
        expect(outcome(cut(bytes, places))).toEqual(outcome([bytes]));
      }),
      { numRuns: 500 },
    );
  });

  it('wants leave for arguments that come one by one, each whole in its piece', () => {
    const parser = new CommandParser(limits);
    const values = Array.from({ length: 50 }, () => 'v'.repeat(100));
    let kept = 0;
    for (const piece of ['*51\r\n$4\r\nMSET\r\n', ...values.map((value) => `$100\r\n${value}\r\n`)]) {
      parser.push(Buffer.from(piece));
      expect(parser.next()).toBeUndefined();
      if (parser.wanted !== undefined) break;
      kept += piece.length;
    }
    expect(kept).toBeLessThan(2 * limits.smallBytesMax);
  });

  it('reads inline commands as redis-cli quotes them', () => {
    const line = (text: string) => parse([Buffer.from(text)]);
    expect(line('PING\r\n')).toEqual([['PING']]);
    expect(line('  set  a   "b c"\n')).toEqual([['set', 'a', 'b c']]);
    expect(line('set a "\\x41\\n\\"" \'it\\\'s\'\r\n')).toEqual([['set', 'a', 'A\n"', "it's"]]);
    expect(line('\r\n\r\nPING\r\n')).toEqual([['PING']]);
    expect(line('set a ""\r\n')).toEqual([['set', 'a', '']]);
    expect(() => line('set "a\r\n')).toThrow('unbalanced quotes in request');
    expect(() => line('set "a"b\r\n')).toThrow('unbalanced quotes in request');
  });

  it('says what is wrong in the words of Redis', () => {
    const complain = (text: string) => () => parse([Buffer.from(text)]);
    expect(complain('*a\r\n')).toThrow('invalid multibulk length');
    expect(complain('*65\r\n')).toThrow('invalid multibulk length');
    expect(complain('*99999999999999999999\r\n')).toThrow('invalid multibulk length');
    expect(complain('*1\r\n:1\r\n')).toThrow("expected '$', got ':'");
    expect(complain('*1\r\n*1\r\n')).toThrow("expected '$', got '*'");
    expect(complain('*1\r\n$-1\r\n')).toThrow('invalid bulk length');
    expect(complain('*1\r\n$16385\r\n')).toThrow('invalid bulk length');
    expect(complain('*1\r\n$3\r\nGETxx')).toThrow('expected an end of line');
    expect(complain('x'.repeat(257))).toThrow('too big inline request');
  });

  it('passes over empty and null arrays', () => {
    expect(parse([Buffer.from('*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n')])).toEqual([['PING']]);
  });

  it('drops an argument that is too large as it comes, and goes on behind its command', () => {
    const bytes = Buffer.concat([encodeCommand(['SET', 'a', 'x'.repeat(5000)]), encodeCommand(['PING'])]);
    const expected = [['SET', 'refused: ERR an argument has at most 4096 bytes; this one has 5000'], ['PING']];
    expect(parse([bytes])).toEqual(expected);
    expect(parse(cut(bytes, [10, 100, 2000, 4000]))).toEqual(expected);
  });

  it('drops what makes a command too large together', () => {
    const bytes = Buffer.concat([encodeCommand(['MSET', ...Array(6).fill('y'.repeat(2000))]), encodeCommand(['PING'])]);
    const expected = [['MSET', 'refused: ERR the arguments of a command have at most 8192 bytes in all'], ['PING']];
    expect(parse(cut(bytes, [5, 3000]))).toEqual(expected);
  });

  it('gathers nothing that is not small without leave, and drops what is refused', () => {
    const parser = new CommandParser(limits);
    const bytes = Buffer.concat([encodeCommand(['SET', 'a', 'z'.repeat(2000)]), encodeCommand(['PING'])]);
    parser.push(Buffer.from(bytes.subarray(0, 100)));
    expect(parser.next()).toBeUndefined();
    expect(parser.wanted).toEqual({ bytes: 2000 + 3 + 64 + 1 + 64, argumentsLeft: 0 });
    parser.refuse('EXHAUSTED enough');
    parser.push(Buffer.from(bytes.subarray(100)));
    expect(parser.next()).toEqual({ args: [Buffer.from('SET')], refusal: 'EXHAUSTED enough' });
    expect(parser.next()).toEqual({ args: [Buffer.from('PING')] });
    expect(parser.wanted).toBeUndefined();
  });
});
