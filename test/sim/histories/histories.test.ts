import { describe, expect, it } from 'vitest';
import { histories, playHistory } from './histories.ts';

describe('a scripted history', () => {
  it.each(Object.keys(histories))('violates nothing: %s', async (name) => {
    const { violations, trace } = await playHistory(name);
    expect(violations, trace.join('\n')).toEqual([]);
  });
});
