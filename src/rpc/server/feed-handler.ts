import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { MeridianError } from '../../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../model/feed.ts';
import { sleep } from '../../runtime/clock.ts';
import type { WireFollowResponse } from '../codec/feed-codec.ts';
import { eventMessages } from '../codec/feed-messages.ts';
import { decodeOpen, decodeProbe, type WireFollowRequest } from '../codec/follow-codec.ts';
import type { Timing } from './call-of.ts';
import { drained, untilHandedOn } from './drained.ts';
import { Received } from './received.ts';
import { readable } from './strict-requests.ts';
import { endlessStream, sendTo, writeTo } from './unary.ts';

type Served = ServerDuplexStream<WireFollowRequest, WireFollowResponse | Buffer>;

/** Milliseconds within which a stream must say what it wants to follow. */
const openMsMax = 10_000;

/** Bytes of a message from which on none follows it before the transport has taken it: sixteen wait there, however large. */
const largeMessageBytes = 64 * 1024;

export interface FeedHandlerOptions extends Timing {
  /** Turns a message into its bytes, by the loader of .proto files. */
  readonly serialize: (message: WireFollowResponse) => Buffer;
}

/**
 * Serves the feed. An event that goes to many followers is one object (they share their scope's shape), so its bytes
 * are made once and kept beside it for as long as it is in use.
 */
export class FeedHandler {
  readonly #options: FeedHandlerOptions;
  readonly #encoded = new WeakMap<FeedEvent, readonly Buffer[]>();
  /** Events encoded so far: a test counts them. */
  encodes = 0;

  constructor(options: FeedHandlerOptions) {
    this.#options = options;
  }

  handlers(): UntypedServiceImplementation {
    return {
      Follow: (served: Served) => endlessStream(this.#options, served, (signal) => this.#serve(served, signal)),
    };
  }

  async #serve(served: Served, signal: AbortSignal): Promise<void> {
    const upstream = this.#options.enter(served);
    const messages = new Received<WireFollowRequest>(served);
    const open = await this.#open(messages);
    const serve = (until: AbortSignal) => this.#send(served, upstream.follow(open, probes(messages), until), until);
    // Peers can hear this node's own writes from no other node.
    if (open.role === 'peer') return serve(signal);
    const { draining, handingOn } = this.#options;
    if (draining.aborted) throw drained();
    return untilHandedOn(handingOn, signal, serve);
  }

  async #send(served: Served, events: AsyncIterable<FeedEvent>, signal: AbortSignal): Promise<void> {
    for await (const event of events) {
      for (const message of this.#messages(event)) {
        this.#options.observer.feedMessage('sent', message.byteLength);
        await (message.byteLength < largeMessageBytes ? writeTo : sendTo)(served, message, signal);
      }
    }
  }

  async #open(messages: AsyncIterator<WireFollowRequest>): Promise<FollowOpen> {
    const waiting = new AbortController();
    const late = sleep(this.#options.clock, openMsMax, waiting.signal).then(() => {
      const message = `the first message must come within ${openMsMax} ms`;
      throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'no-open' });
    });
    const first = await Promise.race([messages.next(), late]).finally(() => waiting.abort());
    const open = first.done === true ? undefined : readable(first.value).open;
    if (!open) throw new MeridianError('INVALID_ARGUMENT', 'the first message must be `open`', { reason: 'no-open' });
    return decodeOpen(open);
  }

  /** Only live steps are shared; the events of a scan go to one follower and are encoded as they leave. */
  *#messages(event: FeedEvent): Generator<Buffer> {
    if (event.kind !== 'changes' || event.step === undefined) {
      yield* eventMessages(event, this.#options);
      return;
    }
    let encoded = this.#encoded.get(event);
    if (encoded === undefined) {
      this.encodes++;
      encoded = [...eventMessages(event, this.#options)];
      this.#encoded.set(event, encoded);
    }
    yield* encoded;
  }
}

async function* probes(messages: AsyncIterator<WireFollowRequest>): AsyncGenerator<FollowerMessage> {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) return;
    const { probe } = readable(next.value);
    if (probe) yield decodeProbe(probe);
  }
}
