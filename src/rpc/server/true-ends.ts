import type { ServerHttp2Stream } from 'node:http2';

/**
 * Lets the listeners that `listen` adds hear the end of a stream only if its caller ended it. Node.js also ends the
 * reading of a stream if the caller cancels it or its connection is lost, and gRPC's library takes that for the
 * caller's own end. A batch whose caller died in the middle of it would be written as far as it had come:
 *
 *     header, put a, put b (1 of 3 MiB) │ RST_STREAM       as if: header, put a, put b │ END_STREAM
 *
 * Node marks the stream as aborted before it ends it. The library hears of the abort by `close`, right after.
 */
export function withTrueEnds(stream: ServerHttp2Stream, listen: () => void): void {
  const before = new Set(stream.listeners('end'));
  listen();
  for (const heard of stream.listeners('end') as Array<() => void>) {
    if (before.has(heard)) continue;
    stream.off('end', heard);
    stream.on('end', () => {
      if (!stream.aborted) heard.call(stream);
    });
  }
}
