import { expect, it } from 'vitest';
import { parseGlob } from '../../src/resp/commands/glob.ts';

it.each([
  ['[abc]', ['a', 'b', 'c'], ['d', '', 'ab']],
  ['[c-a]x', ['ax', 'bx', 'cx'], ['dx', '-x']],
  ['[^a-c]', ['d', '-'], ['a', 'b', 'c']],
  ['[\\]-]', [']', '-'], ['\\', 'a']],
  ['*[0-9]', ['k1', '2'], ['k', 'k1x']],
])('the pattern %s matches as in Redis', (pattern, matching, others) => {
  const glob = parseGlob(Buffer.from(pattern));
  expect(matching.filter((key) => !glob.matches(key))).toEqual([]);
  expect(others.filter((key) => glob.matches(key))).toEqual([]);
});

it('a pattern that begins with what is no UTF-8 is read as fast as any other', () => {
  const begin = process.cpuUsage();
  const { prefix, isPrefixAlone } = parseGlob(Buffer.from(`k\xff${'a'.repeat(16_000)}*`, 'latin1'));
  // It was more than a second, for which nobody else was answered.
  expect(process.cpuUsage(begin).user / 1000).toBeLessThan(300);
  expect({ prefix, isPrefixAlone }).toEqual({ prefix: 'k', isPrefixAlone: false });
  expect(parseGlob(Buffer.from('\ufffdk*'))).toMatchObject({ prefix: '\ufffdk', isPrefixAlone: true });
});

it('a class of thousands of characters costs a key no more than one of two', () => {
  const costMs = (pattern: string) => {
    const glob = parseGlob(Buffer.from(pattern));
    const key = 'x'.repeat(512);
    const begin = process.cpuUsage();
    for (let times = 0; times < 100; times++) expect(glob.matches(key)).toBe(false);
    return process.cpuUsage(begin).user / 1000;
  };
  costMs('*[ab]!');
  // It was some thousand times as much.
  expect(costMs(`*[${'ab'.repeat(8000)}]!`)).toBeLessThan(50 * Math.max(1, costMs('*[ab]!')));
});
