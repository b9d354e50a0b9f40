import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { emptySession } from '../../../src/model/session.ts';
import { aCall } from '../../rpc/loopback.ts';
import { type Answer, type Asked, ask, type ServedOrigin, serveOrigin } from './served-origin.ts';

let served: ServedOrigin;
let id: string;

beforeAll(async () => {
  served = await serveOrigin();
  id = (await served.origin.find('config', aCall())).id;
});

afterAll(() => served.close());

async function stored(): Promise<string[]> {
  const page = { namespace: 'config', prefix: '', limit: 1000, session: emptySession };
  return (await served.origin.list(page, aCall())).keys.map(({ key }) => key);
}

const rest = (path: string, asked: Asked = {}): Promise<Answer> =>
  ask(served.address, `/client/v4/accounts/any/storage/kv/namespaces${path}`, asked);
const bind = (path: string, asked: Asked = {}): Promise<Answer> =>
  ask(served.address, path, { ...asked, headers: { 'Meridian-Namespace': 'config', ...asked.headers } });
const latin1 = (text: string) => Buffer.from(text, 'latin1');

const bulk = (text: string | Buffer) => rest(`/${id}/bulk`, { method: 'PUT', body: text });
const form = (...parts: readonly Buffer[]) =>
  rest(`/${id}/values/k`, {
    method: 'PUT',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    body: Buffer.concat([...parts, Buffer.from('--b--\r\n')]),
  });
const part = (name: string, bytes: Buffer, file = '') =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);

describe('text that is no UTF-8', () => {
  afterEach(async () => {
    expect(await stored()).toEqual([]);
  });

  const cut = '"a\\ud83d"';
  it.each<[string, () => Promise<Answer>, string]>([
    ['a key of the binding', () => bind('/caf%E9?urlencoded=true', { method: 'PUT', body: 'v' }), 'URL-decode'],
    ['half a pair', () => bind('/a%ED%A0%80?urlencoded=true', { method: 'PUT', body: 'v' }), 'URL-decode'],
    ['a key that is not escaped', () => bind('/caf\xe9', { method: 'PUT', body: 'v' }), 'Invalid char in url path'],
    ['a key to be deleted', () => bind('/caf%E9?urlencoded=true', { method: 'DELETE' }), 'URL-decode'],
    ['a prefix of the binding', () => bind('/?prefix=a%ED%A0%80'), "%ED%A0%80 in the query's prefix is no UTF-8"],
    ['a cursor of the binding', () => bind('/?cursor=%ff'), "%ff in the query's cursor is no UTF-8: byte 1 is 0xff"],
    ['metadata of the binding', () => bindMetadata('{"a":"\xe9"}'), 'the header CF-KV-Metadata is no UTF-8'],
    [
      'a title of the binding',
      () => bind('/k', { headers: { 'Meridian-Namespace': 'caf\xe9' } }),
      'Meridian-Namespace',
    ],
    [
      'a key of a bulk get',
      () => bind('/bulk/get', { method: 'POST', body: latin1('{"keys":["caf\xe9"]}') }),
      'the request body is no UTF-8: byte 14 is 0xe9',
    ],
    [
      'an escaped key of a bulk get',
      () => bind('/bulk/get', { method: 'POST', body: `{"keys":[${cut}]}` }),
      'surrogate',
    ],
    ['a key of REST', () => rest(`/${id}/values/caf%E9`, { method: 'PUT', body: 'v' }), 'URL-decode'],
    ['a prefix of REST', () => rest(`/${id}/keys?prefix=caf%E9`), "%E9 in the query's prefix is no UTF-8"],
    ['a title of REST', () => rest('', { method: 'POST', body: latin1('{"title":"caf\xe9"}') }), 'byte 14 is 0xe9'],
    ['an escaped title of REST', () => rest('', { method: 'POST', body: `{"title":${cut}}` }), 'well-formed'],
    ['a bulk of pairs', () => bulk(latin1('[{"key":"caf\xe9","value":"1"}]')), 'byte 13 is 0xe9'],
    ['an escaped key of a pair', () => bulk(`[{"key":${cut},"value":"1"}]`), 'pair 0 (key'],
    ['an escaped value of a pair', () => bulk(`[{"key":"k","value":${cut}}]`), 'a value that is text is no UTF-8'],
    [
      'a key of a bulk delete',
      () => rest(`/${id}/bulk/delete`, { method: 'POST', body: `["a",${cut}]` }),
      'pair 1 (key',
    ],
    ['a value of a form', () => form(part('value', latin1('\xe9'))), 'must be sent as a file'],
    [
      'metadata of a form',
      () => form(part('value', latin1('\xff'), '; filename="v"'), part('metadata', latin1('"\xe9"'))),
      'the field metadata is no UTF-8: byte 2 is 0xe9',
    ],
    [
      'a leaf of metadata of a form',
      () => form(part('value', latin1('\xff'), '; filename="v"'), part('metadata[a]', latin1('\xe9'))),
      'metadata must be UTF-8',
    ],
  ])('is refused in %s, and nothing stored', async (_, send, words) => {
    const { status, reason, body } = await send();
    expect(status).toBe(400);
    expect(`${reason} ${body}`).toContain(words);
  });

  const bindMetadata = (metadata: string) =>
    bind('/k', { method: 'PUT', body: 'v', headers: { 'CF-KV-Metadata': metadata } });
});

describe('text that is UTF-8', () => {
  it('is taken in keys, prefixes, titles and metadata', async () => {
    const raw = Buffer.from('"é"').toString('latin1');
    const put = { method: 'PUT', body: 'v', headers: { 'CF-KV-Metadata': raw } };
    expect((await bind('/caf%C3%A9?urlencoded=true', put)).status).toBe(200);
    expect(await stored()).toEqual(['café']);
    expect((await bind('/?prefix=caf%C3%A9')).body.toString()).toContain('"name":"café"');
    expect((await bind('/?prefix=100%')).status).toBe(200);
    expect((await bind('/caf%C3%A9?urlencoded=true', { method: 'DELETE' })).status).toBe(200);
  });

  it('may hold U+FFFD, beside a file that is no text', async () => {
    const parts = [part('value', latin1('\xff'), '; filename="v"'), part('metadata', Buffer.from('"\ufffd"'))];
    expect((await form(...parts)).status).toBe(200);
    expect(JSON.parse((await rest(`/${id}/metadata/k`)).body.toString()).result).toBe('\ufffd');
    await bind('/k', { method: 'DELETE' });
  });
});
