import { Metadata, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { emptySession } from '../../src/model/session.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { encodeGetAnswer } from '../../src/rpc/codec/kv-codec.ts';
import { services } from '../../src/rpc/proto.ts';
import { toStatus } from '../../src/rpc/status.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf } from './loopback.ts';

const closing: Array<() => void> = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const mebibyte = 1024 * 1024;

/** A node whose one value goes in pieces, of which its header says this. */
async function nodeWith(valueBytes: number, pieces: readonly Buffer[]): Promise<RemoteUpstream> {
  const server = new Server();
  const tooLarge = new MeridianError('FAILED_PRECONDITION', 'too large', { reason: 'value-too-large-for-get' });
  server.addService(
    { Get: services.kv.service['Get'], Read: services.kv.service['Read'] } as never,
    {
      Get: (_: unknown, callback: (error: object) => void) =>
        callback({ code: status.FAILED_PRECONDITION, metadata: new Metadata(), ...toStatus(tooLarge) }),
      Read: (served: ServerWritableStream<unknown, object>) => {
        served.write({ header: { ...encodeGetAnswer(answerOf('k'), { value: false }), valueBytes } });
        for (const chunk of pieces) served.write({ chunk });
        served.end();
      },
    } as never,
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const remote = new RemoteUpstream({ address: `127.0.0.1:${port}`, clock: systemClock });
  closing.push(
    () => remote.close(),
    () => server.forceShutdown(),
  );
  return remote;
}

const get = (remote: RemoteUpstream) => remote.get({ namespace: 'n', key: 'k', session: emptySession }, aCall());

describe('a value that comes in pieces', () => {
  it('is what they are together', async () => {
    const { record } = await get(await nodeWith(5, [Buffer.from('ab'), Buffer.from('cde')]));
    expect(record?.kind === 'live' && Buffer.from(record.value).toString()).toBe('abcde');
  });

  it('is refused where it is longer or shorter than its header said', async () => {
    for (const pieces of [[Buffer.alloc(3), Buffer.alloc(3)], [Buffer.alloc(4)], []]) {
      await expect(get(await nodeWith(5, pieces))).rejects.toThrow('a value in pieces is malformed');
    }
  });

  it('is refused before there is memory for it where it is longer than a value may be', async () => {
    await expect(get(await nodeWith(26 * mebibyte, []))).rejects.toThrow('a value in pieces is malformed');
    await expect(get(await nodeWith(2 ** 50, []))).rejects.toThrow('a value in pieces is malformed');
  });
});
