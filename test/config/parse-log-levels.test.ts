import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';

const levels = (text: string) =>
  resolveConfig('origin', { flags: {}, env: { MERIDIAN_LOG_LEVEL: text }, file: {} }).logLevel;

describe('--log-level', () => {
  it('is a level for all, levels of modules, or both', () => {
    expect(levels('warn')).toEqual({ least: 'warn', modules: {} });
    expect(levels('feed=debug')).toEqual({ least: 'info', modules: { feed: 'debug' } });
    expect(levels('warn, feed=debug,http=error')).toEqual({ least: 'warn', modules: { feed: 'debug', http: 'error' } });
  });

  it.each(['loud', 'feed', 'feed=loud', 'nothing=info', 'info,warn', 'feed=info,feed=debug', 'feed=info=warn', ','])(
    'refuses "%s", and says which modules there are',
    (text) => {
      expect(() => levels(text)).toThrow(/MERIDIAN_LOG_LEVEL must be one of debug, .*modules are node, access, store/);
    },
  );
});
