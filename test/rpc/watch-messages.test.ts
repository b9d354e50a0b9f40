import { expect, test } from 'vitest';
import type { FeedEvent } from '../../src/model/feed.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { WatchMessages } from '../../src/rpc/server/watch-messages.ts';
import { live } from '../contract/sample-records.ts';
import { FakeClock } from '../edge/fake-clock.ts';

const changed: FeedEvent = { kind: 'changes', records: [live({ key: 'k', sequence: 1 })] };
const registered: FeedEvent = {
  kind: 'changes',
  records: [{ ...live({ key: 'namespace/x', sequence: 1 }), namespace: registryNamespace }],
};
const nothing: FeedEvent = { kind: 'changes', records: [] };
const caughtUp: FeedEvent = {
  kind: 'caught-up',
  vector: new Map(),
  floor: new Map(),
  stable: new Map(),
};

test('a cursor that could not be given with what was told comes as soon as it can', () => {
  const messages = new WatchMessages(new FakeClock());
  expect(messages.of(changed, undefined)).toMatchObject([{ change: { key: 'k' }, cursor: '' }]);
  expect(messages.of(caughtUp, undefined)).toEqual([{ caughtUp: true, cursor: '' }]);
  expect(messages.of(nothing, undefined)).toEqual([]);
  expect(messages.of(nothing, () => 'c1')).toEqual([{ cursor: 'c1' }]);
  expect(messages.of(nothing, () => 'c2')).toEqual([]);
});

test('a watch that is told nothing is given a later cursor from time to time', () => {
  const clock = new FakeClock();
  const messages = new WatchMessages(clock);
  expect(messages.of(caughtUp, () => 'c1')).toEqual([{ caughtUp: true, cursor: 'c1' }]);
  clock.advance(59_000);
  expect(messages.of(nothing, () => 'c2')).toEqual([]);
  clock.advance(1000);
  expect(messages.of(registered, () => 'c3')).toEqual([{ cursor: 'c3' }]);
  expect(messages.of(nothing, () => 'c4')).toEqual([]);
});

test('of several records the last has the cursor', () => {
  const messages = new WatchMessages(new FakeClock());
  const two = { kind: 'changes' as const, records: [live({ key: 'a', sequence: 1 }), live({ key: 'b', sequence: 2 })] };
  expect(messages.of(two, () => 'c')).toMatchObject([
    { change: { key: 'a' }, cursor: '' },
    { change: { key: 'b' }, cursor: 'c' },
  ]);
});
