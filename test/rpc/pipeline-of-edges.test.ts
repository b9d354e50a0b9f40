import { afterEach, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { aCall, answerOf, overLoopback, upstreamWith } from './loopback.ts';

const closing: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function remoteOf(parts: Partial<Upstream>): Promise<RemoteUpstream> {
  const { remote, close } = await overLoopback(upstreamWith(parts), { pipelined: true });
  closing.push(close);
  return remote;
}

const asked = (key: string) => ({ namespace: 'n', key, session: emptySession });

describe('what an edge asks its upstream for', () => {
  it('travels by how many edges passed it up, over a stream each that says it once', async () => {
    const hops: unknown[] = [];
    const remote = await remoteOf({
      get: async ({ key }, call) => {
        hops.push(call.hops);
        return answerOf(key);
      },
    });
    for (const passed of [{}, { hops: 1 }, { hops: 2 }, { hops: 1 }]) {
      const { record } = await remote.get(asked('a'), { ...aCall(), ...passed });
      expect(record?.key).toBe('a');
    }
    expect(hops).toEqual([undefined, 1, 2, 1]);
  });

  it('is a record that keeps no message of many values, however long it is kept', async () => {
    const remote = await remoteOf({ peek: ({ key }) => answerOf(key) });
    const gets = Array.from({ length: 100 }, (_, i) => remote.get(asked(`k${i}`), { ...aCall(), hops: 1 }));
    for (const { record } of await Promise.all(gets)) {
      if (record?.kind !== 'live') throw new Error('each is there');
      expect(record.value.buffer.byteLength).toBe(record.value.byteLength);
    }
  });
});
