import { describe, expect, it } from 'vitest';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { Record } from '../../src/model/record.ts';
import { Registry, registryKeys } from '../../src/replication/registry.ts';
import { log, namespaceRecord, said } from './registry-records.ts';

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as [NamespaceId, NamespaceId];

function registryOf(records: readonly Record[]): Registry {
  const registry = new Registry();
  for (const record of records) registry.apply(record);
  return registry;
}

describe('a title that two namespaces have, half of a change having been lost', () => {
  const claimed = said(registryKeys.title('t'), { id: b }, { log: log(1), sequence: 3 });
  const { value: _value, ...head } = said(claimed.key, {}, { log: log(1), sequence: 5 });
  const given: Record = { ...head, kind: 'tombstone' };
  const [ofA, ofB] = [namespaceRecord(a, 't', 1, [1, 1]), namespaceRecord(b, 't', 1, [1, 2])];

  it('means the other one once the one that it named is called otherwise, as it does after a restart', () => {
    const renamed = namespaceRecord(b, 'u', 1, [1, 4]);
    const running = registryOf([ofA, ofB, claimed]);
    expect(running.resolve('t')).toMatchObject({ id: b });
    for (const record of [renamed, given]) running.apply(record);
    const restarted = registryOf([ofA, renamed, given]);
    for (const registry of [running, restarted]) {
      expect(registry.resolve('t')).toMatchObject({ id: a, title: 't' });
      expect(registry.namespaces()).toMatchObject([
        { id: a, title: 't' },
        { id: b, title: 'u' },
      ]);
    }
  });

  it('means the same in whatever order they came, where no record of the title decides', () => {
    expect(registryOf([ofA, ofB]).resolve('t')).toEqual(registryOf([ofB, ofA]).resolve('t'));
  });
});

it('tells all namespaces without sorting them again until something has changed', () => {
  const registry = registryOf([namespaceRecord(a, 'u', 1, [1, 1])]);
  const before = registry.namespaces();
  expect(registry.namespaces()).toBe(before);
  registry.apply(namespaceRecord(b, 't', 1, [1, 2]));
  expect(registry.namespaces().map(({ id }) => id)).toEqual([b, a]);
  registry.forget(registryKeys.namespace(b));
  expect(registry.namespaces()).toEqual(before);
  registry.clear();
  expect(registry.namespaces()).toEqual([]);
});

it.each(['t', a])('knows at once what %s means by now, however often that was asked before', (name) => {
  const registry = registryOf([namespaceRecord(a, 't', 1, [1, 1])]);
  const meaning = () => {
    const [first, again] = [registry.idOf(name), registry.idOf(name)];
    expect(again).toBe(first);
    return first;
  };
  expect(meaning()).toBe(a);
  registry.clear();
  expect(meaning()).toBe(undefined);
  registry.apply(namespaceRecord(a, 't', 1, [1, 1]));
  expect(meaning()).toBe(a);
  registry.forget(registryKeys.namespace(a));
  expect(meaning()).toBe(name === 't' ? undefined : 'deleted');
});
