import { afterEach, expect, it } from 'vitest';
import type { LogId } from '../../src/model/position.ts';
import { emptySession, type Session } from '../../src/model/session.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf, overLoopback, upstreamWith } from './loopback.ts';

const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A client of a node that holds every key, whose gets share a stream. */
async function remote(): Promise<RemoteUpstream> {
  const { address, close } = await overLoopback(upstreamWith({ peek: ({ key }) => answerOf(key) }));
  const opened = new RemoteUpstream({ address, clock: systemClock, pipelined: true });
  closing.push(close, () => opened.close());
  return opened;
}

/** Of one who has seen writes of so many logs. */
function sessionOf(logs: number, sequence: number): Session {
  const entries = Array.from({ length: logs }, (_, log) => [log.toString(16).padStart(16, '0') as LogId, sequence]);
  return { ...emptySession, vector: new Map(entries as Array<[LogId, number]>) };
}

it('operations of many long sessions travel in as many messages as they need', async () => {
  const node = await remote();
  // To read them all takes a busy machine its time.
  const call = { ...aCall(), deadlineMs: systemClock.monotonicMs() + 90_000 };
  const sessions = [sessionOf(320, 2 ** 50), sessionOf(320, 2 ** 51)];
  const gets = Array.from({ length: 512 }, (_, at) => {
    return node.get({ namespace: 'n', key: `k${at}`, session: sessions[at % 2] ?? emptySession }, call);
  });
  const found = await Promise.all(gets.map((get) => get.catch(String)));
  expect(found.filter((one) => typeof one === 'string')).toEqual([]);
});

it('an operation on what is no name fails alone', async () => {
  const node = await remote();
  const call = aCall();
  const get = (namespace: string, key = 'k') => node.get({ namespace, key, session: emptySession }, call);
  const long = 'x'.repeat(5 * 1024 * 1024);
  const settled = await Promise.allSettled([get('n'), get(long), get('n', long), get('n')]);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
});
