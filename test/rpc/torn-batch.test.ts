import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import type { Mutation, WriteRequest } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { writeMessages } from '../../src/rpc/client/write-messages.ts';
import { overLoopback, upstreamWith } from './loopback.ts';

const closing: Array<() => Promise<void> | void> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const mutations: Mutation[] = [
  { kind: 'put', key: 'whole', value: Buffer.alloc(10) },
  { kind: 'put', key: 'torn', value: Buffer.alloc(3 * 1024 * 1024) },
  { kind: 'delete', key: 'never sent' },
];

/** The messages of a batch, each in gRPC's frame; of an older client, or with its size in the header. */
function frames(isSized: boolean): Buffer[] {
  const request: WriteRequest = { namespace: 'n', mutations, session: emptySession };
  const serialize = (message: object) => {
    const { header } = message as { header: object };
    return methods.write.requestSerialize({ header: isSized ? header : { ...header, size: null } });
  };
  return [...writeMessages(request, serialize)].map((message) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.byteLength, 1);
    return Buffer.concat([head, message]);
  });
}

const breaks: ReadonlyArray<readonly [string, (stream: ClientHttp2Stream, session: ClientHttp2Session) => void]> = [
  ['is cancelled', (stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ['is closed without an error', (stream) => stream.close(constants.NGHTTP2_NO_ERROR)],
  ['fails at its caller', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ['loses its connection', (_, session) => session.destroy()],
];

/** A node that tells what it was asked to write and how it answered, and calls of its Write. */
async function node() {
  const written: string[][] = [];
  const answered: string[] = [];
  const write = ({ mutations: seen }: WriteRequest): Promise<never> => {
    written.push(seen.map(({ key }) => key));
    return Promise.reject(new Error('enough'));
  };
  const observer = { answered: (method: string, code: string) => answered.push(`${method} ${code}`) };
  const { address, ...loopback } = await overLoopback(upstreamWith({ write }), {
    observer: { ...observer, feedMessage: () => {} } as never,
  });
  closing.push(() => loopback.close());
  const begin = async () => {
    const session = connect(`http://${address}`).on('error', () => {});
    closing.push(() => session.destroy());
    const headers = { ':method': 'POST', ':path': methods.write.path, 'content-type': 'application/grpc' };
    const stream = session.request({ ...headers, te: 'trailers' }).on('error', () => {});
    return { session, stream: stream.resume() };
  };
  return { written, answered, begin };
}

describe('a batch of which not all has come', () => {
  it.each(breaks)('is not written where its call %s', async (_, breakOff) => {
    const { written, answered, begin } = await node();
    const all = frames(false);
    for (let sent = 1; sent < all.length; sent++) {
      const { session, stream } = await begin();
      for (const frame of all.slice(0, sent)) await new Promise((taken) => stream.write(frame, taken));
      breakOff(stream, session);
      await expect.poll(() => answered.length).toBe(sent);
    }
    expect(new Set(answered)).toEqual(new Set(['KV/Write CANCELLED']));
    expect(written).toEqual([]);
    // All of it is.
    const { stream } = await begin();
    stream.end(Buffer.concat(all));
    await once(stream, 'close');
    expect(written).toEqual([['whole', 'torn', 'never sent']]);
  });

  // What a client of Node.js that gives up looks like over a network, until its reset is there.
  it('is not written where its call ends before what its header says', async () => {
    const { written, answered, begin } = await node();
    const all = frames(true);
    for (let sent = 1; sent <= all.length; sent++) {
      const { stream } = await begin();
      stream.end(Buffer.concat(all.slice(0, sent)));
      await once(stream, 'close');
      expect(answered.at(-1)).toBe(sent < all.length ? 'KV/Write INVALID_ARGUMENT' : 'KV/Write INTERNAL');
    }
    expect(written).toEqual([['whole', 'torn', 'never sent']]);
  });
});
