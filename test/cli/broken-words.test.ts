import { expect, test } from 'vitest';
import { refuseBrokenWords } from '../../src/cli/broken-words.ts';

const line = (...words: string[]) => Buffer.from(words.map((word) => `${word}\0`).join(''), 'latin1');

test('a word that is no UTF-8 is refused, with the byte', () => {
  const words = ['put', 'flags', 'caf\ufffd', 'v'];
  const check = () => refuseBrokenWords(words, () => line('node', 'main.js', 'put', 'flags', 'caf\xe9', 'v'));
  expect(check).toThrow('"caf\ufffd" is no UTF-8: byte 4 is 0xe9');
});

test('a U+FFFD that was written so is a word as any other', () => {
  const words = ['get', 'flags', '\ufffd', ''];
  const check = () => refuseBrokenWords(words, () => line('node', 'get', 'flags', '\xef\xbf\xbd', ''));
  expect(check).not.toThrow();
});

test('where the system does not tell the bytes, words are taken as they are', () => {
  expect(() => refuseBrokenWords(['\ufffd'], () => undefined)).not.toThrow();
});
