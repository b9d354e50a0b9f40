import { afterEach } from 'vitest';
import type { GetRequest, WriteAnswer } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { type MemberId, nowhere } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { Connection } from '../../src/rpc/client/connection.ts';
import { Pipeline } from '../../src/rpc/client/pipeline.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { overLoopback, roomsOf, upstreamWith } from './loopback.ts';

/** Closed after each test, the last first. */
export const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export const written: WriteAnswer = {
  namespace: registryNamespace,
  origin: '1'.repeat(16) as MemberId,
  written: [{ stamp: bottomStamp, position: nowhere }],
  durability: 'local',
  covered: new Map(),
  session: emptySession,
};

export const asked = (key: string): GetRequest => ({ namespace: 'n', key, session: emptySession });
/** A node of these parts, and the client's end of one stream to it. */
export async function pipelineTo(parts: Partial<Upstream>, rooms = roomsOf(64 * 1024 * 1024)) {
  const { address, server, close } = await overLoopback(upstreamWith(parts), { rooms });
  const connection = new Connection({ address, clock: systemClock });
  const pipeline = new Pipeline({ connection, clock: systemClock, hops: undefined });
  closing.push(
    close,
    () => connection.close(),
    () => pipeline.close(),
  );
  return { pipeline, server, address, connection };
}
