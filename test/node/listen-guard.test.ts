import { describe, expect, it } from 'vitest';
import { checkListeners } from '../../src/node/listen-guard.ts';

const listen = (host: string) => [{ flag: 'listen', host }];

describe('the guard of listeners', () => {
  it('lets loopback pass in every spelling', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
      expect(() => checkListeners(listen(host), false)).not.toThrow();
    }
  });

  it('refuses every other address, naming the flag and the way out', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '::ffff:10.0.0.1', 'example.org', 'localhost.example.org']) {
      expect(() => checkListeners(listen(host), false)).toThrow(/--listen .*--insecure/);
    }
  });

  it('refuses when any of several listeners is open', () => {
    const both = [...listen('127.0.0.1'), { flag: 'http', host: '0.0.0.0' }];
    expect(() => checkListeners(both, false)).toThrow(/--http 0\.0\.0\.0/);
  });

  it('lets any address pass that the operator insists on', () => {
    expect(() => checkListeners(listen('0.0.0.0'), true)).not.toThrow();
  });
});
