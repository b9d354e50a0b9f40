import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { ByteBudget } from '../../../src/http/workers/byte-budget.ts';
import { sendRecord } from '../../../src/http/workers/send-record.ts';
import type { LiveRecord } from '../../../src/model/record.ts';

const mebibyte = 1024 * 1024;
const signal = new AbortController().signal;

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
  const budget = new ByteBudget(3 * mebibyte, 10);
  let version = 0;
  const heads: number[] = [];
  const read = async () => {
    version++;
    return { kind: 'live', value: new Uint8Array(2 * mebibyte), expiresAt: version } as unknown as LiveRecord;
  };
  const head = ({ expiresAt }: LiveRecord) => void heads.push(expiresAt ?? 0);
  const [slow, other] = [client(), client()];
  const first = sendRecord({ response: slow.response, signal, budget, read, head });
  await expect.poll(() => heads).toEqual([1]);
  other.takeAll();
  const second = sendRecord({ response: other.response, signal, budget, read, head });
  await expect.poll(() => version).toBe(2);
  expect(heads).toEqual([1]);
  slow.takeAll();
  await Promise.all([first, second]);
  expect(heads).toEqual([1, 3]);
  expect(budget.tryTake(3 * mebibyte)).toBe(true);
});

it('lets no small value wait for large ones', async () => {
  const budget = new ByteBudget(mebibyte, 10);
  budget.tryTake(mebibyte);
  const read = async () => ({ kind: 'live', value: new Uint8Array(1000) }) as unknown as LiveRecord;
  const { response, takeAll } = client();
  takeAll();
  await sendRecord({ response, signal, budget, read, head: () => {} });
  expect(budget.tryTake(1)).toBe(false);
});

it('gives its room back where the client goes away', async () => {
  const budget = new ByteBudget(2 * mebibyte, 10);
  const gone = new AbortController();
  const read = async () => ({ kind: 'live', value: new Uint8Array(2 * mebibyte) }) as unknown as LiveRecord;
  const sent = sendRecord({ response: client().response, signal: gone.signal, budget, read, head: () => {} });
  await expect.poll(() => budget.tryTake(1)).toBe(false);
  gone.abort(new Error('gone'));
  await expect(sent).rejects.toThrow('gone');
  expect(budget.tryTake(2 * mebibyte)).toBe(true);
});
