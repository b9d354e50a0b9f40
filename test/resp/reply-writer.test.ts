import { describe, expect, it } from 'vitest';
import { HeldValue, ok, Push, type Reply, RespError, Several } from '../../src/resp/protocol/reply.ts';
import { type Protocol, ReplyWriter } from '../../src/resp/protocol/reply-writer.ts';

function encoded(reply: Reply, protocol: Protocol): string {
  const writer = new ReplyWriter();
  writer.write(reply, protocol);
  return Buffer.concat(writer.take().chunks).toString('latin1');
}

describe('the reply writer', () => {
  it('encodes what both protocols have alike', () => {
    for (const protocol of [2, 3] as const) {
      expect(encoded(ok, protocol)).toBe('+OK\r\n');
      expect(encoded(-2, protocol)).toBe(':-2\r\n');
      expect(encoded('ключ', protocol)).toBe(`$8\r\n${Buffer.from('ключ').toString('latin1')}\r\n`);
      expect(encoded(Buffer.from([0, 255]), protocol)).toBe('$2\r\n\x00\xff\r\n');
      expect(encoded([1, ['a'], []], protocol)).toBe('*3\r\n:1\r\n*1\r\n$1\r\na\r\n*0\r\n');
      expect(encoded(new RespError('ERR one\r\ntwo', 'x'), protocol)).toBe('-ERR one  two\r\n');
      expect(encoded(new Several([1, ok]), protocol)).toBe(':1\r\n+OK\r\n');
    }
  });

  it('encodes nil, maps and messages as the protocol has them', () => {
    expect([encoded(null, 2), encoded(null, 3)]).toEqual(['$-1\r\n', '_\r\n']);
    const map = new Map([['a', 1]]);
    expect([encoded(map, 2), encoded(map, 3)]).toEqual(['*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n']);
    const push = new Push(['invalidate', null]);
    expect([encoded(push, 2), encoded(push, 3)]).toEqual(['', '>2\r\n$10\r\ninvalidate\r\n_\r\n']);
  });

  it('copies small values into one piece, and hands large ones on as they are', () => {
    const writer = new ReplyWriter();
    const large = Buffer.alloc(100_000, 'x');
    let released = 0;
    for (const reply of [Buffer.from('a'), new HeldValue(large, () => released++), Buffer.from('b')])
      writer.write(reply, 2);
    expect(writer.bytes).toBe(7 + 100_011 - 2 + 2 + 7);
    const { chunks, releases } = writer.take();
    expect(chunks.map((chunk) => chunk.byteLength)).toEqual([16, 100_000, 9]);
    expect(chunks[1]).toBe(large);
    for (const release of releases) release();
    expect([released, writer.bytes]).toEqual([1, 0]);
  });

  it('writes into memory again once it is sent, and not before', () => {
    const writer = new ReplyWriter();
    const write = (text: string, isSent: boolean) => {
      writer.write(text, 2);
      const [chunk] = writer.take().chunks;
      writer.handedOn(isSent);
      return Buffer.from(chunk?.buffer ?? new ArrayBuffer(0), chunk?.byteOffset, chunk?.byteLength);
    };
    const first = write('first', true);
    const second = write('secon', false);
    expect(first.toString()).toBe('$5\r\nsecon\r\n');
    for (let n = 0; n < 5000; n++) write('x'.repeat(100), n % 2 === 0);
    expect(second.toString()).toBe('$5\r\nsecon\r\n');
  });
});
