import { describe, expect, it } from 'vitest';
import { checkListeners, type Protection } from '../../src/node/listen-guard.ts';

const listen = (host: string) => [{ flag: 'listen', host }];
const nothing: Protection = {
  ...{ insecure: false, adminTokenFile: undefined, adminToken: undefined, tokenFile: undefined, token: undefined },
  ...{ tlsCert: undefined, tlsClientCa: undefined, certificateRights: [] },
};

describe('the guard of listeners', () => {
  it('lets loopback pass in every spelling', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
      expect(() => checkListeners(listen(host), nothing)).not.toThrow();
    }
  });

  it('refuses every other address, naming the flag and the way out', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '::ffff:10.0.0.1', 'example.org', 'localhost.example.org']) {
      expect(() => checkListeners(listen(host), nothing)).toThrow(/--listen .*--admin-token-file.*--insecure/);
    }
  });

  it('refuses when any of several listeners is open', () => {
    const both = [...listen('127.0.0.1'), { flag: 'http', host: '0.0.0.0' }];
    expect(() => checkListeners(both, nothing)).toThrow(/--http 0\.0\.0\.0/);
  });

  it('lets any address pass that the operator insists on', () => {
    expect(() => checkListeners(listen('0.0.0.0'), { ...nothing, insecure: true })).not.toThrow();
  });

  it('lets any address pass where callers prove who they are, and what is said is encrypted, and not with one of both', () => {
    const tokens = { ...nothing, adminTokenFile: 'admin' };
    expect(() => checkListeners(listen('0.0.0.0'), tokens)).toThrow(/nothing encrypts/);
    expect(() => checkListeners(listen('0.0.0.0'), { ...nothing, tlsCert: 'cert' })).toThrow(/nothing asks/);
    expect(() => checkListeners(listen('0.0.0.0'), { ...tokens, tlsCert: 'cert' })).not.toThrow();
    const mutual = { ...nothing, tlsCert: 'cert', tlsClientCa: 'ca' };
    expect(() => checkListeners(listen('0.0.0.0'), mutual)).not.toThrow();
  });
});
