import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { LargeValues } from '../../../src/http/workers/large-values.ts';
import { sendRecord } from '../../../src/http/workers/send-record.ts';
import type { LiveRecord } from '../../../src/model/record.ts';

const mebibyte = 1024 * 1024;
const signal = new AbortController().signal;
const name = ['config', 'k'] as const;

/** A client that takes nothing until it is told to. */
function client(): { response: ServerResponse; takeAll: () => void } {
  let taking = false;
  let take = (): void => {};
  const writable = new Writable({
    write: (_chunk, _encoding, done) => {
      take = done;
      if (taking) done();
    },
  });
  const response = Object.assign(writable, { setHeader: () => {} }) as unknown as ServerResponse;
  return {
    response,
    takeAll: () => {
      taking = true;
      take();
    },
  };
}

it('lets a large value go that finds no room, and reads it again when there is', async () => {
  const underWay = new LargeValues(3 * mebibyte);
  let version = 0;
  const heads: number[] = [];
  const read = async () => {
    version++;
    return { kind: 'live', value: new Uint8Array(2 * mebibyte), expiresAt: version } as unknown as LiveRecord;
  };
  const head = ({ expiresAt }: LiveRecord) => void heads.push(expiresAt ?? 0);
  const [slow, other] = [client(), client()];
  const first = sendRecord({ response: slow.response, signal, underWay, name, read, head });
  await expect.poll(() => heads).toEqual([1]);
  other.takeAll();
  const second = sendRecord({ response: other.response, signal, underWay, name: ['config', 'other'], read, head });
  await expect.poll(() => version).toBe(2);
  expect(heads).toEqual([1]);
  slow.takeAll();
  await Promise.all([first, second]);
  expect(heads).toEqual([1, 3]);
  expect(underWay.budget.tryTake(3 * mebibyte)).toBe(true);
});

it('reads no value that was large before until there is room for it', async () => {
  const underWay = new LargeValues(2 * mebibyte);
  let [reads, bytes] = [0, 2 * mebibyte];
  const read = async () => {
    reads++;
    return { kind: 'live', value: new Uint8Array(bytes) } as unknown as LiveRecord;
  };
  const [slow, other, third] = [client(), client(), client()];
  const first = sendRecord({ response: slow.response, signal, underWay, name, read, head: () => {} });
  await expect.poll(() => underWay.expected(name)).toBe(2 * mebibyte);
  other.takeAll();
  const second = sendRecord({ response: other.response, signal, underWay, name, read, head: () => {} });
  expect(reads).toBe(1);
  bytes = 1000;
  slow.takeAll();
  await Promise.all([first, second]);
  expect(reads).toBe(2);
  // It is small now, and waits for nobody.
  underWay.budget.tryTake(2 * mebibyte);
  third.takeAll();
  await sendRecord({ response: third.response, signal, underWay, name, read, head: () => {} });
  expect(reads).toBe(3);
});

it('lets nobody wait for a value that was large and is gone', async () => {
  const underWay = new LargeValues(2 * mebibyte);
  underWay.note(name, mebibyte);
  const read = async () => Promise.reject(new Error('absent'));
  const asked = { response: client().response, signal, underWay, name, read, head: () => {} };
  await expect(sendRecord(asked)).rejects.toThrow('absent');
  expect(underWay.expected(name)).toBeUndefined();
  expect(underWay.budget.tryTake(2 * mebibyte)).toBe(true);
});

it('lets no small value wait for large ones', async () => {
  const underWay = new LargeValues(mebibyte);
  underWay.budget.tryTake(mebibyte);
  const read = async () => ({ kind: 'live', value: new Uint8Array(1000) }) as unknown as LiveRecord;
  const { response, takeAll } = client();
  takeAll();
  await sendRecord({ response, signal, underWay, name, read, head: () => {} });
  expect(underWay.budget.tryTake(1)).toBe(false);
});

it('gives its room back where the client goes away', async () => {
  const underWay = new LargeValues(2 * mebibyte);
  const gone = new AbortController();
  const read = async () => ({ kind: 'live', value: new Uint8Array(2 * mebibyte) }) as unknown as LiveRecord;
  const sent = sendRecord({ response: client().response, signal: gone.signal, underWay, name, read, head: () => {} });
  await expect.poll(() => underWay.budget.tryTake(1)).toBe(false);
  gone.abort(new Error('gone'));
  await expect(sent).rejects.toThrow('gone');
  expect(underWay.budget.tryTake(2 * mebibyte)).toBe(true);
});
