import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type S3Options, S3Target } from '../../src/backup/s3-target.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { S3Server } from './s3-server.ts';

describe('backups in a bucket', () => {
  let server: S3Server;
  let environment: Record<string, string>;

  beforeEach(async () => {
    server = new S3Server('backups', { id: 'AKID', secret: 'secret/+=' });
    const endpoint = await server.start();
    environment = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret/+=', AWS_ENDPOINT_URL: endpoint };
  });

  afterEach(() => server.stop());

  const target = (place = 's3://backups/eu/prod', more = {}, options: Partial<S3Options> = {}) =>
    new S3Target({
      ...{ place, environment: { ...environment, ...more }, clock: systemClock, signal: new AbortController().signal },
      ...{ random: { fraction: () => 0, hex: () => '' }, retryMs: 0, failed: () => {}, ...options },
    });

  it('are written, read, listed and removed, each prefix by itself', async () => {
    const [one, all] = [target('s3://backups/eu & us/'), target('s3://backups')];
    const bytes = Buffer.alloc(3_000_000, 'é+ %');
    await one.write('a-1/000001.gz', bytes);
    await one.write('a-1/manifest.json', Buffer.from('{}'));
    expect((await one.read('a-1/000001.gz')).equals(bytes)).toBe(true);
    expect(await one.names()).toEqual(['a-1/000001.gz', 'a-1/manifest.json']);
    expect(await all.names()).toEqual(['eu & us/a-1/000001.gz', 'eu & us/a-1/manifest.json']);
    await one.write('a-1/manifest.json', Buffer.from('{"later":1}'));
    expect((await one.read('a-1/manifest.json')).toString()).toBe('{"later":1}');
    for (const name of await one.names()) await one.remove(name);
    await one.remove('a-1/000001.gz');
    expect(await one.names()).toEqual([]);
    await expect(one.read('a-1/000001.gz')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are listed beyond a page', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `${i}`);
    for (const name of names) await target().write(name, Buffer.from('x'));
    expect(await target().names()).toEqual(names);
  });

  it('say why they cannot be reached: keys that are wrong or missing, no such bucket, a server that is away', async () => {
    const gone = new S3Server('backups', { id: '', secret: '' });
    const away = await gone.start();
    await gone.stop();
    const wrong: ReadonlyArray<readonly [S3Target, string, string]> = [
      [target(undefined, { AWS_SECRET_ACCESS_KEY: 'wrong' }), 'FAILED_PRECONDITION', '403 SignatureDoesNotMatch'],
      [target(undefined, { AWS_ACCESS_KEY_ID: 'wrong' }), 'FAILED_PRECONDITION', '403 InvalidAccessKeyId'],
      [target('s3://nobody'), 'FAILED_PRECONDITION', '404 NoSuchBucket'],
      [target(undefined, { AWS_ENDPOINT_URL: away }), 'UNAVAILABLE', 'ECONNREFUSED'],
    ];
    for (const [at, code, message] of wrong) {
      await expect(at.names()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    }
    expect(() => target(undefined, { AWS_ACCESS_KEY_ID: undefined })).toThrow('AWS_ACCESS_KEY_ID');
    expect(() => target('s3://B/')).toThrow('is no s3://bucket/prefix');
  });

  it('take an empty variable for one that is unset', async () => {
    expect(() => target(undefined, { AWS_SECRET_ACCESS_KEY: '' })).toThrow('AWS_SECRET_ACCESS_KEY in the environment');
    const other = target(undefined, { AWS_REGION: '', AWS_SESSION_TOKEN: '' });
    await other.write('a', Buffer.from('x'));
    expect(await other.names()).toEqual(['a']);
    const asked: unknown[] = [];
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(async (request) => {
      asked.push((request as Request).url);
      throw new Error('not today');
    });
    await expect(target(undefined, { AWS_ENDPOINT_URL: '' }).names()).rejects.toThrow('not today');
    expect(asked).toEqual([expect.stringMatching(/^https:\/\/s3\.us-east-1\.amazonaws\.com\/backups/)]);
    fetched.mockRestore();
  });

  it('are refused with a password in the endpoint, which no message shows', () => {
    const secret = { AWS_ENDPOINT_URL: 'http://user:plain-secret@127.0.0.1:9000' };
    expect(() => target(undefined, secret)).toThrow(/^(?!.*plain-secret).*takes no user and no password/);
  });

  it.each(['minio:9000', '127.0.0.1:9000', 'http://', 'ftp://host'])(
    'are refused at once with the endpoint %j, which will not be one later either',
    (endpoint) => {
      expect(() => target(undefined, { AWS_ENDPOINT_URL: endpoint })).toThrow(`it is "${endpoint}"`);
    },
  );

  it.each([
    [400, 'RequestTimeout'],
    [400, 'IncompleteBody'],
    [400, 'ThrottlingException'],
    [403, 'RequestTimeTooSkewed'],
    [408, 'RequestTimeout'],
    [409, 'OperationAborted'],
    [409, 'ConditionalRequestConflict'],
    [429, 'TooManyRequests'],
    [500, 'InternalError'],
    [503, 'SlowDown'],
  ])('are asked for again, and told of, where the answer passes by itself: %i %s', async (status, code) => {
    const told: string[] = [];
    const patient = target(undefined, {}, { retryMs: 60_000, failed: ({ message }) => told.push(message) });
    await patient.write('a', Buffer.from('x'));
    for (const ask of [
      () => patient.write('b', Buffer.from('y')),
      () => patient.names(),
      () => patient.read('a'),
      () => patient.remove('b'),
    ]) {
      server.faults = Array.from({ length: 9 }, () => [status, code] as const);
      await ask();
      expect(server.faults).toEqual([]);
      expect(told.splice(0)).toEqual(Array(9).fill(expect.stringContaining(`${status} ${code}`)));
    }
    expect(await patient.names()).toEqual(['a']);
  });

  it('are asked for again where the connection breaks, within the answer too', async () => {
    const patient = target(undefined, {}, { retryMs: 60_000 });
    await patient.write('a', Buffer.from('x'));
    server.faults = ['cut', 'cut'];
    expect((await patient.read('a')).toString()).toBe('x');
    server.faults = ['cut'];
    await expect(target().names()).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'backup-target' } });
  });

  it('are asked for again for so long alone, and no longer than anybody waits', async () => {
    const clock = new FakeClock();
    const always = Array.from({ length: 100 }, () => [503, 'SlowDown'] as const);
    const failed = vi.fn(() => clock.advance(20_000));
    server.faults = always;
    const message = expect.stringContaining('503 SlowDown');
    const short = target(undefined, {}, { clock, retryMs: 60_000, random: systemRandom, failed });
    const asked = short.names();
    asked.catch(() => {});
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(server.faults.length).toBeLessThan(97);
    });
    await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', message });
    const stop = new AbortController();
    const ending = target(
      undefined,
      {},
      { clock, retryMs: 60_000, signal: stop.signal, failed: () => stop.abort('enough') },
    );
    await expect(ending.names()).rejects.toBe('enough');
  });

  it('are gone where the server tells who removes them that they are', async () => {
    server.tellsGone = true;
    await target().remove('a');
  });
});
