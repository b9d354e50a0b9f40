import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { S3Target } from '../../src/backup/s3-target.ts';
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

  const target = (place = 's3://backups/eu/prod', more = {}) =>
    new S3Target({ place, environment: { ...environment, ...more } });

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

  it('are asked for again where the server is overloaded for a moment', async () => {
    await target().write('a', Buffer.from('x'));
    server.busy = 2;
    expect(await target().names()).toEqual(['a']);
    server.busy = 2;
    await target().write('b', Buffer.from('y'));
    expect((await target().read('b')).toString()).toBe('y');
  });
});
