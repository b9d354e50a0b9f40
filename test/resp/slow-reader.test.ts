import { connect as connectInTheClear, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/model/limits.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { aCall, openOrigin, roomsOf } from '../rpc/loopback.ts';
import { encodeCommand, serveResp } from './served.ts';

let origin: Origin;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ origin, close } = await openOrigin());
  await origin.create('config', aCall());
  const value = Buffer.alloc(limits.valueBytesMax);
  const mutations = [{ kind: 'put', key: 'k', value } as const];
  await origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
});

afterAll(() => close());

const tls = { current: new TestAuthority().issue('node'), onRenewed: () => {} };

async function askedFor(port: number, isSecure: boolean): Promise<Socket> {
  const to = { port, host: '127.0.0.1' };
  const socket = isSecure ? connectSecurely({ ...to, rejectUnauthorized: false }) : connectInTheClear(to);
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once(isSecure ? 'secureConnect' : 'connect', () => resolve()));
  socket.pause();
  socket.write(encodeCommand(['GET', 'k']));
  return socket;
}

describe.each([
  ['in the clear', false],
  ['over TLS', true],
])('a client that reads %s', (_how, isSecure) => {
  it('may take a large value as slowly as it likes, and is cut off where it takes nothing', async () => {
    const rooms = roomsOf(2 ** 26);
    const served = await serveResp(origin, { requestTimeoutMs: 1, rooms, ...(isSecure ? { tls } : {}) });
    const slow = await askedFor(served.port, isSecure);
    const begunMs = performance.now();
    let taken = 0;
    // Longer than a client may take nothing, which is more than a second.
    while (taken < limits.valueBytesMax && !slow.destroyed && performance.now() - begunMs < 20_000) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      taken += (slow.read() as Buffer | null)?.length ?? 0;
    }
    expect(performance.now() - begunMs).toBeGreaterThan(3000);
    expect(taken).toBeGreaterThan(limits.valueBytesMax);
    expect(served.rejected).toEqual([]);
    const stalled = await askedFor(served.port, isSecure);
    await expect.poll(() => served.rejected, { timeout: 10_000 }).toContain('untaken-replies');
    await expect.poll(() => rooms.answers.bytesLeaving).toBe(0);
    for (const socket of [slow, stalled]) socket.destroy();
    await served.close();
  });
});
