import { describe, expect, it } from 'vitest';
import { asWritten, formattedJson, hexOf, kindOf } from '../../src/page/data/value-kind.ts';

const bytes = (...all: number[]) => Uint8Array.from(all);
const text = (value: string) => new TextEncoder().encode(value);

describe('what a value looks like', () => {
  it('is told by its bytes', () => {
    expect(kindOf(bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0))).toEqual({
      kind: 'image',
      type: 'image/png',
    });
    expect(kindOf(text('{"a":1}'))).toEqual({ kind: 'json', text: '{"a":1}' });
    expect(kindOf(text('<svg onload="alert(1)"></svg>')).kind).toBe('text');
    expect(kindOf(text('42')).kind).toBe('text');
    expect(kindOf(bytes(0xff, 0xfe, 0)).kind).toBe('bytes');
    expect(kindOf(bytes(0x61, 0x00)).kind).toBe('bytes');
  });

  it('keeps the digits of numbers that JavaScript would round', () => {
    const exact = '{"id":12345678901234567890}';
    expect(formattedJson(exact)).toBe(exact);
    expect(asWritten('{"id":12345678901234567891}', exact)).toBe('{"id":12345678901234567891}');
  });

  it('goes back into one line where it was in one, and stays as it was edited elsewhere', () => {
    expect(asWritten('{\n  "a": 2\n}', '{"a":1}')).toBe('{"a":2}');
    expect(asWritten('{\n  "a": 2\n}', '{\n"a": 1}')).toBe('{\n  "a": 2\n}');
    expect(asWritten('no JSON', '{"a":1}')).toBe('no JSON');
  });

  it('is listed in hex up to a bound', () => {
    expect(hexOf(bytes(0x41, 0x00, 0xff), 100)).toBe(`000000  ${'41 00 ff'.padEnd(47)}  A··`);
    expect(hexOf(new Uint8Array(100), 32).split('\n')).toHaveLength(2);
  });
});
