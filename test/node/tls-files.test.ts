import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../src/node/closing.ts';
import { openTls, type TlsConfig } from '../../src/node/tls-files.ts';
import { loggerTo } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import type { ServerTls } from '../../src/runtime/tls.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';

const authority = new TestAuthority();
const none: TlsConfig = { tls: false, tlsCert: undefined, tlsKey: undefined, tlsCa: undefined, tlsClientCa: undefined };

describe('the certificates of a node', () => {
  let folder: string;
  let lines: string[];
  let closing: Closing;
  const path = (name: string) => join(folder, name);
  const logger = loggerTo((_level, message) => void lines.push(message));
  const outside = { clock: systemClock, random: systemRandom, logger };
  const save = (name: string, bytes: Buffer) => writeFileSync(path(name), bytes);
  const until = async (isSo: () => boolean) => {
    for (let left = 500; left > 0 && !isSo(); left--) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isSo()).toBe(true);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-tls-'));
    lines = [];
    closing = new Closing(logger);
  });

  afterEach(async () => {
    await closing.close();
    rmSync(folder, { recursive: true });
  });

  it('are read anew when both files of a pair were replaced, and not in between', async () => {
    const [first, second] = [authority.issue('first'), authority.issue('second')];
    save('cert', first.cert);
    save('key', first.key);
    save('ca', authority.ca);
    const config = { ...none, tlsCert: path('cert'), tlsKey: path('key'), tlsCa: path('ca') };
    const { server, client, expiries } = await openTls(config, outside, closing);
    expect(server?.current).toEqual(first);
    const validTo = (pem: Buffer) => Date.parse(new X509Certificate(pem).validTo);
    expect([...expiries()]).toEqual([
      ['own', validTo(first.cert)],
      ['ca', validTo(authority.ca)],
    ]);
    const before = client();
    expect(before).toEqual({ ...first, ca: authority.ca });
    const renewed: ServerTls[] = [];
    server?.onRenewed((to) => void renewed.push(to));
    save('cert', second.cert);
    await until(() => lines.includes('certificates do not go together; those before go on'));
    expect(client()).toBe(before);
    save('key', second.key);
    await until(() => renewed.length === 1);
    expect(renewed).toEqual([second]);
    expect(client()).toEqual({ ...second, ca: authority.ca });
    save('cert', Buffer.from('no certificate'));
    await until(() => lines.filter((line) => line.startsWith('certificates do not')).length === 2);
    expect(client()).toEqual({ ...second, ca: authority.ca });
  });

  it('are the renewed ones for a listener that starts later: a store may be verified or rebuilt for hours before', async () => {
    const [first, second] = [authority.issue('first'), authority.issue('second')];
    save('cert', first.cert);
    save('key', first.key);
    const { server, client } = await openTls({ ...none, tlsCert: path('cert'), tlsKey: path('key') }, outside, closing);
    save('cert', second.cert);
    save('key', second.key);
    await until(() => client()?.cert?.equals(second.cert) === true);
    expect(server?.current).toEqual(second);
  });

  it('are refused at the start where they do not go together, or one is missing', async () => {
    const [first, second] = [authority.issue('first'), authority.issue('second')];
    save('cert', first.cert);
    save('key', second.key);
    const paths = { tlsCert: path('cert'), tlsKey: path('key') };
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(openTls({ ...none, ...paths }, outside, closing)).rejects.toMatchObject(refused);
    await expect(openTls({ ...none, tlsCert: path('cert') }, outside, closing)).rejects.toThrow(/together/);
    await expect(openTls({ ...none, tlsClientCa: path('cert') }, outside, closing)).rejects.toThrow(
      /needs a --tls-cert/,
    );
    await expect(openTls({ ...none, tlsCa: path('absent') }, outside, closing)).rejects.toThrow(
      /the CA of other nodes/,
    );
  });

  it('have a CA in each file that is to have one: a file without is refused, and what was before goes on', async () => {
    const own = authority.issue('own');
    save('cert', own.cert);
    save('key', own.key);
    save('ca', own.key);
    const config = { ...none, tlsCert: path('cert'), tlsKey: path('key') };
    for (const uses of [{ tlsCa: path('ca') }, { tlsClientCa: path('ca') }]) {
      await expect(openTls({ ...config, ...uses }, outside, closing)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/--tls-(client-)?ca names holds no certificate/),
      });
    }
    save('ca', authority.ca);
    const { client } = await openTls({ ...config, tlsCa: path('ca') }, outside, closing);
    save('ca', Buffer.alloc(0)); // As it is for a moment where somebody writes over it.
    await until(() => lines.includes('certificates do not go together; those before go on'));
    expect(client()).toEqual({ ...own, ca: authority.ca });
  });

  it('leave connections in the clear where nothing speaks of TLS', async () => {
    expect((await openTls(none, outside, closing)).client()).toBeUndefined();
    expect((await openTls({ ...none, tls: true }, outside, closing)).client()).toEqual({});
  });
});
