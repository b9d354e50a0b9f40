import { describe, expect, it } from 'vitest';
import { readObjects } from '../../../src/cli/formats/read-objects.ts';
import { listOfEtcd, recordOfConsul, recordOfEtcd } from '../../../src/cli/formats/read-other-stores.ts';
import { parseReply } from '../../../src/cli/transfer/redis-reply.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** In pieces of so many bytes. */
async function* pieces(text: string, bytes: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

async function etcd(text: string, bytes = 7): Promise<string[]> {
  const records: string[] = [];
  for await (const { key, value } of readObjects(listOfEtcd(pieces(text, bytes)), { recordOf: recordOfEtcd })) {
    records.push(`${key}=${Buffer.from(value).toString()}`);
  }
  return records;
}

const header =
  '{"header":{"cluster_id":14841639068965178418,"member_id":10276657743932975437,"revision":3,"raft_term":2}';
const kvs = [
  `{"key":"${base64('flags/beta')}","create_revision":2,"mod_revision":2,"version":1,"value":"${base64('on')}"}`,
  `{"key":"${base64('ключ')}","create_revision":3,"mod_revision":3,"version":1,"lease":7587,"value":"${base64('{"a":[1]}')}"}`,
  `{"key":"${base64('empty')}","create_revision":3,"mod_revision":3,"version":1}`,
];

describe('what etcdctl prints', () => {
  it.each([1, 7, 64, 100_000])('is read in pieces of %i bytes', async (bytes) => {
    const text = `${header},"kvs":[${kvs.join(',')}],"count":3}\n`;
    expect(await etcd(text, bytes)).toEqual(['flags/beta=on', 'ключ={"a":[1]}', 'empty=']);
  });

  it('has no list where there are no keys', async () => {
    expect(await etcd(`${header}}\n`)).toEqual([]);
  });

  it.each([1, 7, 64, 100_000])('may be several answers, in pieces of %i bytes', async (bytes) => {
    const [one, other] = [
      `${header},"kvs":[${kvs[0]}],"count":1}\n`,
      `${header},"kvs":[${kvs[2]}],"more":true,"count":2}\n`,
    ];
    expect(await etcd(`${one}${header}}\n${other}${header}}\n`, bytes)).toEqual(['flags/beta=on', 'empty=']);
  });

  it('leaves out nothing behind a list without a word', async () => {
    for (const behind of ['', ',"count":1', ',"count":1}[{"key":"a"}]', `}\n${header}`]) {
      await expect(etcd(`${header},"kvs":[${kvs[0]}]${behind}`)).rejects.toThrow('behind its list 1 this is not');
    }
  });

  it('is refused where it is cut off, is something else, or holds what is no base64 or no UTF-8', async () => {
    await expect(etcd(`${header},"kvs":[${kvs[0]}`)).rejects.toThrow('ends within the list');
    await expect(etcd('[{"key":"a"}]')).rejects.toThrow('not what etcdctl get -w json prints');
    await expect(etcd('x'.repeat(70_000), 10_000)).rejects.toThrow('not what etcdctl');
    await expect(etcd(`${header},"kvs":[{"key":"&"}]}`)).rejects.toThrow('is said to be base64 and is not');
    const broken = Buffer.from([0xff]).toString('base64');
    await expect(etcd(`${header},"kvs":[{"key":"${broken}"}]}`)).rejects.toThrow('record 1: "key" is no UTF-8');
  });
});

describe("Consul's export", () => {
  it('is read with flags as metadata, all their digits', () => {
    const text = `{"key":"a/b","flags":18446744073709551615,"value":"${base64('v')}"}`;
    const record = { key: 'a/b', value: Buffer.from('v'), metadataText: '{"flags":18446744073709551615}' };
    expect(recordOfConsul(text, 'record 1')).toEqual(record);
    expect(recordOfConsul('{"key":"a","flags":0,"value":null}', 'record 1')).toEqual({ key: 'a', value: Buffer.of() });
    expect(() => recordOfConsul('{"flags":0,"value":""}', 'record 4')).toThrow('record 4 has no "key"');
  });
});

describe("Redis' replies", () => {
  it('are read once they have come whole, however they are cut', () => {
    const bytes = Buffer.from('*3\r\n$1\r\n0\r\n*2\r\n$2\r\na\n\r\n$-1\r\n:42\r\n+OK\r\n-ERR no\r\n');
    const reply = ['0', ['a\n', null], 42];
    const text = (one: unknown): unknown =>
      one instanceof Buffer ? one.toString() : Array.isArray(one) ? one.map(text) : one;
    const whole = parseReply(bytes, 0);
    expect(text(whole?.reply)).toEqual(reply);
    for (let cut = 0; cut < (whole?.end ?? 0); cut++) expect(parseReply(bytes.subarray(0, cut), 0)).toBeUndefined();
    const ok = parseReply(bytes, whole?.end ?? 0);
    expect(ok?.reply).toBe('OK');
    expect(parseReply(bytes, ok?.end ?? 0)?.reply).toEqual(new Error('ERR no'));
    expect(() => parseReply(Buffer.from('HTTP/1.1 400\r\n'), 0)).toThrow('no answer of Redis');
  });
});
