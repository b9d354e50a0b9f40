import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { sendRecord } from '../../../src/http/workers/send-record.ts';
import type { LiveRecord } from '../../../src/model/record.ts';
import { AnswerRoom } from '../../../src/runtime/answer-room.ts';

const mebibyte = 1024 * 1024;
const call = { signal: new AbortController().signal, moved: () => {} };
const name = ['config', 'k'] as const;

/** A client that takes nothing until it is told to. */
function client(): { response: ServerResponse; caller: object; takeAll: () => void } {
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
    caller: response,
    takeAll: () => {
      taking = true;
      take();
    },
  };
}

function roomOf(bytesMax: number): AnswerRoom {
  // Three quarters of it are for answers on their way, and one caller has half of that, or one answer.
  return new AnswerRoom({ bytesMax: (4 * bytesMax) / 3 });
}

function recordOf(bytes: number, expiresAt = 0): LiveRecord {
  return { kind: 'live', value: new Uint8Array(bytes), expiresAt } as unknown as LiveRecord;
}

it('lets a large value go that finds no room, and reads it again when there is', async () => {
  const room = roomOf(3 * mebibyte);
  let version = 0;
  const heads: number[] = [];
  const read = async () => recordOf(2 * mebibyte, ++version);
  const headers = ({ expiresAt }: LiveRecord) => {
    heads.push(expiresAt ?? 0);
    return [];
  };
  const [slow, other] = [client(), client()];
  const first = sendRecord({ ...slow, call, room, name, read, headers });
  await expect.poll(() => heads).toEqual([1]);
  other.takeAll();
  const second = sendRecord({ ...other, call, room, name: ['config', 'other'], read, headers });
  await expect.poll(() => version).toBe(2);
  expect(heads).toEqual([1]);
  slow.takeAll();
  await Promise.all([first, second]);
  expect(heads).toEqual([1, 3]);
  await expect.poll(() => room.bytesLeaving).toBe(0);
});

it('reads no value that was large before until there is room for it', async () => {
  const room = roomOf(2 * mebibyte);
  let [reads, bytes] = [0, 2 * mebibyte];
  const read = async () => {
    reads++;
    return recordOf(bytes);
  };
  const [slow, other, third] = [client(), client(), client()];
  const headers = () => [];
  const first = sendRecord({ ...slow, call, room, name, read, headers });
  await expect.poll(() => room.known(...name)).toBe(2 * mebibyte);
  other.takeAll();
  const second = sendRecord({ ...other, call, room, name, read, headers });
  await new Promise((resolve) => setImmediate(resolve));
  expect(reads).toBe(1);
  bytes = 1000;
  slow.takeAll();
  await Promise.all([first, second]);
  expect(reads).toBe(2);
  // It is small now, and waits for nobody.
  await room.reserve(2 * mebibyte, { caller: 'another', call });
  third.takeAll();
  await sendRecord({ ...third, call, room, name, read, headers });
  expect(reads).toBe(3);
});

it('forgets how large a value was that is gone', async () => {
  const room = roomOf(2 * mebibyte);
  room.note(...name, mebibyte);
  const read = async () => Promise.reject(new Error('absent'));
  await expect(sendRecord({ ...client(), call, room, name, read, headers: () => [] })).rejects.toThrow('absent');
  expect(room.known(...name)).toBeUndefined();
  expect(room.bytesLeaving).toBe(0);
});

it('lets no small value wait for large ones', async () => {
  const room = roomOf(mebibyte);
  for (let i = 0; i < 100; i++) room.note('config', `k${i}`, 1000);
  await room.reserve(mebibyte, { caller: 'another', call });
  const small = client();
  small.takeAll();
  await sendRecord({ ...small, call, room, name, read: async () => recordOf(1000), headers: () => [] });
  expect(room.bytesLeaving).toBe(mebibyte);
});

it('gives its room back where the client goes away', async () => {
  const room = roomOf(2 * mebibyte);
  const gone = new AbortController();
  const away = client();
  const read = async () => recordOf(2 * mebibyte);
  const sent = sendRecord({ ...away, call: { ...call, signal: gone.signal }, room, name, read, headers: () => [] });
  await expect.poll(() => room.bytesLeaving).toBe(2 * mebibyte);
  gone.abort(new Error('gone'));
  await expect(sent).rejects.toThrow('gone');
  away.response.destroy();
  await expect.poll(() => room.bytesLeaving).toBe(0);
});
