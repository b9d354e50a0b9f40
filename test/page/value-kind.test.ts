import { describe, expect, it } from 'vitest';
import { asWritten, editableText, hexOf, kindOf, shownText, type TextKind } from '../../src/page/data/value-kind.ts';

const bytes = (...all: number[]) => Uint8Array.from(all);
const text = (value: string) => new TextEncoder().encode(value);
const json = (written: string): TextKind => ({ kind: 'json', text: written });
const plain = (written: string): TextKind => ({ kind: 'text', text: written });

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

  it.each([
    ['numbers that JavaScript would round', '{"id":12345678901234567890,"n":1.50}'],
    ['a field that stands twice', '{"a":1,"a":2}'],
    ['fields that JavaScript would put in another order', '{"b":1,"2":1,"1":1}'],
    ['escapes', '{"a":"\\u0041\\/"}'],
  ])('keeps %s, shown and edited', (_what, exact) => {
    const before = json(exact);
    expect(shownText(before).replace(/\s/g, '')).toBe(exact);
    expect(asWritten(`${editableText(before)} `, before)).toBe(exact);
  });

  it('is shown in lines where it is JSON', () => {
    expect(shownText(json('{"a":[1,{}],"b":[]}'))).toBe(JSON.stringify({ a: [1, {}], b: [] }, null, 2));
  });

  it('is shown as it stands where it is nested too deep to be laid out, or would grow too long', () => {
    const deep = '['.repeat(400_000) + ']'.repeat(400_000);
    expect(kindOf(text(deep)).kind).toBe('json');
    expect(shownText(json(deep)) === deep).toBe(true);
    const wide = `${'['.repeat(90)}${'0,'.repeat(100_000)}0${']'.repeat(90)}`;
    expect(shownText(json(wide)) === wide).toBe(true);
  });

  it('goes back into one line where it was in one, and stays as it was edited elsewhere', () => {
    expect(asWritten('{\n  "a": 2\n}', json('{"a":1}'))).toBe('{"a":2}');
    expect(asWritten('{\n  "a": 2\n}', json('{"a":1}\n'))).toBe('{"a":2}\n');
    expect(asWritten('{\n  "a": 2\n}', json('{\n"a": 1}'))).toBe('{\n  "a": 2\n}');
    expect(asWritten('no JSON', json('{"a":1}'))).toBe('no JSON');
  });

  it('is the same bytes where nothing was edited', () => {
    for (const before of [json('{"a": 1, "b": 2}'), json('{\r\n"a": 1}'), plain('a\r\nb\r\n'), plain('\na\n')]) {
      expect(asWritten(editableText(before) ?? '', before)).toBe(before.text);
    }
  });

  it('keeps the line ends that it had, and is edited in no form where it has several kinds', () => {
    expect(asWritten('a\nc', plain('a\r\nb'))).toBe('a\r\nc');
    for (const mixed of ['a\r\nb\nc', 'a\rb', '\na\r\n']) expect(editableText(plain(mixed))).toBeUndefined();
  });

  it('is listed in hex up to a bound', () => {
    expect(hexOf(bytes(0x41, 0x00, 0xff), 100)).toBe(`000000  ${'41 00 ff'.padEnd(47)}  A··`);
    expect(hexOf(new Uint8Array(100), 32).split('\n')).toHaveLength(2);
  });
});
