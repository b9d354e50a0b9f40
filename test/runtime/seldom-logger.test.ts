import { expect, it } from 'vitest';
import { type LogFields, loggerTo } from '../../src/runtime/logger.ts';
import { seldomLogger } from '../../src/runtime/seldom-logger.ts';

function logging() {
  let nowMs = 0;
  const lines: string[] = [];
  const logger = seldomLogger(
    loggerTo((level, message, fields) => void lines.push([level, message, JSON.stringify(fields)].join(' '))),
    () => nowMs,
  );
  return {
    lines,
    logger,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

const away: LogFields = { part: 'copy', upstream: 'o:1', error: 'connect ECONNREFUSED 127.0.0.1:7100' };

it('says a warning once, and then with growing pauses, how often it came meanwhile', () => {
  const { lines, logger, wait } = logging();
  const saidAtMinutes: number[] = [];
  for (let second = 0; second < 24 * 3600; second++) {
    const before = lines.length;
    logger.log('warn', 'a feed ended', away);
    if (lines.length > before) saidAtMinutes.push(Math.round(second / 60));
    wait(1000);
  }
  expect(saidAtMinutes.slice(0, 8)).toEqual([0, 1, 3, 7, 15, 31, 63, 123]);
  expect(saidAtMinutes.length).toBeLessThan(32);
  expect(lines[0]).not.toContain('repeated');
  expect(lines[1]).toContain('"repeated":59');
});

it('says it again at once where it had not come for a minute', () => {
  const { lines, logger, wait } = logging();
  for (let round = 0; round < 3; round++) {
    logger.log('warn', 'a feed ended', away);
    logger.log('warn', 'a feed ended', away);
    wait(61_000);
  }
  expect(lines).toHaveLength(3);
});

it('tells warnings apart by what they say, but not by the numbers of an error', () => {
  const { lines, logger } = logging();
  logger.log('warn', 'a feed ended', away);
  logger.log('warn', 'a feed ended', { ...away, error: 'connect ECONNREFUSED 127.0.0.1:7101' });
  expect(lines).toHaveLength(1);
  logger.log('warn', 'a feed ended', { ...away, part: 'cache' });
  logger.log('warn', 'a feed ended', { ...away, error: 'closed' });
  logger.log('warn', 'another', away);
  expect(lines).toHaveLength(4);
});

it('passes on all else, and forgets the oldest of very many warnings', () => {
  const { lines, logger } = logging();
  for (let i = 0; i < 3; i++) logger.log('error', 'a commit failed');
  expect(lines).toHaveLength(3);
  for (let i = 0; i <= 1000; i++) logger.log('warn', `warning ${i}`);
  logger.log('warn', 'warning 1000');
  expect(lines).toHaveLength(1004);
  logger.log('warn', 'warning 0');
  expect(lines).toHaveLength(1005);
});
