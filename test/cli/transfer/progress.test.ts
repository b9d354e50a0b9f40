import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { showCount, showProgress } from '../../../src/cli/transfer/progress.ts';

function drawing() {
  const stream = new PassThrough();
  const drawn = () => String(stream.read() ?? '');
  return { drawn, options: { stream: stream as unknown as NodeJS.WriteStream, noTTYOutput: true } };
}

const person = { interactive: true };

test('a bar is drawn only when there is something to show, and ends at the true count', async () => {
  const { drawn, options } = drawing();
  const bar = await showProgress(person, 'import flags', 200, options);
  expect(drawn()).toBe('');
  bar.at(100, 5);
  bar.at(200, 12);
  bar.stop();
  const lines = drawn();
  expect(lines).toMatch(/100 % \| 12 records/);
  expect(lines.endsWith('\n')).toBe(true);
});

test('a count without a known end counts records', async () => {
  const { drawn, options } = drawing();
  const count = await showCount(person, 'export flags', options);
  count.at(7, 7);
  count.at(8, 8);
  count.stop();
  expect(drawn()).toContain('export flags | 8 records');
});

test('nothing is drawn where no person sees it, or nothing happened', async () => {
  const { drawn, options } = drawing();
  const hidden = await showProgress({ interactive: false }, 'import flags', 10, options);
  hidden.at(10, 1);
  hidden.stop();
  (await showCount(person, 'export flags', options)).stop();
  expect(drawn()).toBe('');
});
