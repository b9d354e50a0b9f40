import { expect, it } from 'vitest';
import type { LogLevels } from '../../src/model/log-levels.ts';
import { processLogger } from '../../src/node/process-logger.ts';

function logging(levels: LogLevels) {
  const lines: Array<Record<string, unknown>> = [];
  const write = (line: string) => {
    expect(line.endsWith('}\n')).toBe(true);
    lines.push(JSON.parse(line));
  };
  return { lines, logger: processLogger({ write, nowMs: () => 1_000, node: 'iad', levels }) };
}

it('writes one JSON object a line, with time, level, node, module, message and fields', () => {
  const { lines, logger } = logging({ least: 'info', modules: {} });
  logger.log('info', 'serving', { grpc: '127.0.0.1:7100', redis: undefined });
  const time = '1970-01-01T00:00:01.000Z';
  expect(lines).toEqual([
    { level: 'info', time, node: 'iad', module: 'node', grpc: '127.0.0.1:7100', message: 'serving' },
  ]);
});

it('goes by the level of a module where it has one, and tells beforehand', () => {
  const { lines, logger } = logging({ least: 'warn', modules: { feed: 'debug', http: 'error' } });
  const [feed, http, store] = [logger.of('feed'), logger.of('http'), logger.of('store')];
  for (const one of [feed, http, store, logger]) {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) one.log(level, level);
  }
  expect(lines.map(({ module, message }) => `${module} ${message}`)).toEqual([
    ...['feed debug', 'feed info', 'feed warn', 'feed error', 'http error'],
    ...['store warn', 'store error', 'node warn', 'node error'],
  ]);
  expect([feed.writes('debug'), http.writes('warn'), store.writes('info'), store.writes('warn')]).toEqual([
    ...[true, false, false, true],
  ]);
});

it('hides what looks like a secret, whoever put it into a field or an error', () => {
  const { lines, logger } = logging({ least: 'debug', modules: {} });
  const token = `mdn_${'4'.repeat(16)}_${'a'.repeat(64)}`;
  logger.log('error', `failed with ${token}`, {
    token: 'plain-secret',
    value: 'plain-value',
    error: `authorization: Bearer plain-secret, then ${token}`,
    url: 'postgres://user:plain-secret@db/kv',
  });
  const text = JSON.stringify(lines);
  expect(text).not.toMatch(/plain-(secret|value)|aaaa/);
  expect(lines[0]).toMatchObject({ url: 'postgres://[hidden]@db/kv', token: '[hidden]', value: '[hidden]' });
});
