import { expect, it } from 'vitest';
import { scanPermit } from '../../src/replication/serving/scan-permit.ts';
import { Semaphore } from '../../src/runtime/semaphore.ts';
import { FakeClock } from '../edge/fake-clock.ts';

const empty = { kind: 'changes', records: [] };

function waiting({ tells = true } = {}) {
  const clock = new FakeClock();
  const permits = new Semaphore(1);
  permits.tryAcquire();
  const gone = new AbortController();
  return { clock, permits, gone, line: scanPermit(permits, { clock, signal: gone.signal, tells }) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('whoever waits for a scan is told nothing, once a second, and then has the permit', async () => {
  const { clock, permits, line } = waiting();
  for (let second = 0; second < 3; second++) {
    const next = line.next();
    await settled();
    clock.advance(1000);
    expect((await next).value).toEqual(empty);
  }
  const last = line.next();
  permits.release();
  expect((await last).done).toBe(true);
  expect(permits.tryAcquire()).toBe(false);
});

it('whoever goes away while it waits keeps no permit', async () => {
  const { clock, permits, line } = waiting();
  const next = line.next();
  await settled();
  clock.advance(1000);
  await next;
  await line.return(undefined);
  permits.release();
  await settled();
  expect(permits.tryAcquire()).toBe(true);
});

it('a wait that is given up throws its reason, and leaves the line', async () => {
  const { permits, gone, line } = waiting();
  const next = line.next();
  gone.abort(new Error('gone'));
  await expect(next).rejects.toThrow('gone');
  expect(permits.waiting).toBe(0);
});

it('a watch is told nothing that is empty', async () => {
  const { clock, permits, line } = waiting({ tells: false });
  const next = line.next();
  for (let second = 0; second < 3; second++) {
    await settled();
    clock.advance(1000);
  }
  permits.release();
  expect((await next).done).toBe(true);
});
