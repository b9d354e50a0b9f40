import { describe, expect, it } from 'vitest';
import type { GetAnswer } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { nowhere } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { packGets } from '../../src/rpc/server/batch-get.ts';

function answer(key: string, valueBytes: number): GetAnswer {
  const written = { namespace: registryNamespace, key, stamp: bottomStamp, position: nowhere };
  return {
    record: { kind: 'live', ...written, value: Buffer.alloc(valueBytes) },
    namespace: registryNamespace,
    source: 'origin',
    past: false,
    covered: new Map(),
    responder: 'o',
    session: emptySession,
  };
}

const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);

describe('a batch get', () => {
  it('reads no more keys once a message is full, and names those that it left', async () => {
    const read: string[] = [];
    const { answers, omitted } = await packGets(
      keys,
      async (key) => {
        read.push(key);
        return answer(key, 100_000);
      },
      { bytesMax: 1_000_000 },
    );
    expect(answers.map(({ key }) => key)).toEqual(keys.slice(0, 9));
    expect(omitted).toEqual(keys.slice(9));
    expect(read).toEqual(keys.slice(0, 16));
  });

  it('has a bounded number of reads under way', async () => {
    let running = 0;
    let most = 0;
    await packGets(
      keys,
      async (key) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return answer(key, 1);
      },
      { bytesMax: 1_000_000 },
    );
    expect(most).toBe(8);
  });

  it('goes past a value that no message holds, to the smaller ones behind it', async () => {
    const sizes = [2_000, 500_000, 3_000];
    const get = async (key: string) => answer(key, sizes[Number(key)] ?? 0);
    const { answers, omitted } = await packGets(['0', '1', '2'], get, { bytesMax: 100_000 });
    expect([answers.map(({ key }) => key), omitted]).toEqual([['0', '2'], ['1']]);
  });

  it('leaves out unread what was too large lately, but for the first key', async () => {
    const read: string[] = [];
    const get = async (key: string) => {
      read.push(key);
      return answer(key, 1000);
    };
    const { omitted } = await packGets(['a', 'b', 'c'], get, {
      bytesMax: 100_000,
      known: (key) => (key === 'c' ? 10 : 200_000),
    });
    expect([read, omitted]).toEqual([['a', 'c'], ['b']]);
  });
});
