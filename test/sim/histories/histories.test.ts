import { describe, expect, it } from 'vitest';
import { historyNames, playHistory } from './histories.ts';

describe('a scripted history', () => {
  it.each(historyNames)('violates nothing: %s', async (name) => {
    const { violations, trace } = await playHistory(name);
    expect(violations, trace.join('\n')).toEqual([]);
  });
});
