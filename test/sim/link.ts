import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import type { VirtualTime } from '../support/virtual-time.ts';

/** Messages on their way to a reader that is slow; the sender waits for room. */
const windowMax = 4;
const keepAliveMs = 200;
const methods = ['get', 'list', 'write', 'create', 'find', 'namespaces', 'rename', 'remove', 'status', 'members'];

/** One direction of each stream or call after the other, with seeded delays; `follow` keeps its order. */
export class Link {
  /** `half`: what is sent is never heard of, until the keep-alive ends the stream. */
  state: 'up' | 'cut' | 'half' = 'up';
  /** What becomes of each event of a feed under way; undefined = it is lost. Tests break rules with it. */
  tamper: (event: FeedEvent) => FeedEvent | undefined = (event) => event;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  /** The process at the far end as it is now; undefined while it is down. */
  readonly #target: () => Upstream | undefined;

  constructor(time: VirtualTime, random: SeededRandom, target: () => Upstream | undefined) {
    this.#time = time;
    this.#random = random;
    this.#target = target;
  }

  upstream(): Upstream {
    const called = methods.map((name) => [name, (...args: unknown[]) => this.#call(name as keyof Upstream, args)]);
    return { ...Object.fromEntries(called), follow: this.#follow.bind(this) } as Upstream;
  }

  async #call(name: keyof Upstream, args: unknown[]): Promise<unknown> {
    const call = args.at(-1) as Call;
    const target = await this.#crossed();
    const asked = (target[name] as (...args: unknown[]) => Promise<unknown>).apply(target, args);
    const gone = this.#gone(target, call);
    try {
      const answer = await Promise.race([asked, gone.ended]);
      if ((await this.#crossed()) !== target) throw lost();
      return answer;
    } finally {
      gone.stop();
    }
  }

  /** Fails the call where the process that it is at crashes, or its deadline passes. */
  #gone(target: Upstream, call: Call | undefined): { ended: Promise<never>; stop: () => void } {
    let stopped = false;
    const ended = (async () => {
      for (;;) {
        await this.#time.wait(20);
        if (stopped) await new Promise(() => {});
        if (this.#target() !== target) throw lost();
        if (call?.signal?.aborted || (call?.deadlineMs !== undefined && this.#time.nowMs > call.deadlineMs)) {
          throw new MeridianError('DEADLINE_EXCEEDED', 'no answer in time', { reason: 'deadline' });
        }
      }
    })();
    ended.catch(() => {});
    return {
      ended,
      stop: () => {
        stopped = true;
      },
    };
  }

  async #crossed(): Promise<Upstream> {
    await this.#time.wait(1 + this.#random.fraction() * 12);
    if (this.state === 'half') await this.#time.wait(keepAliveMs);
    const target = this.#target();
    if (this.state !== 'up' || target === undefined) throw lost();
    return target;
  }

  async *#follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const target = await this.#crossed();
    const ended = new AbortController();
    const over = AbortSignal.any([signal, ended.signal]);
    const alive = () => this.state === 'up' && this.#target() === target;
    const watch = async () => {
      while (!over.aborted) {
        await this.#time.wait(10);
        if (alive()) continue;
        if (this.state === 'half') await this.#time.wait(keepAliveMs);
        ended.abort(lost());
      }
    };
    void watch();
    const pipe = new Pipe<FeedEvent>(over);
    const outward = this.#carried(messages, over, alive);
    void this.#pump(this.#tampered(target.follow(open, outward, over)), pipe, alive);
    try {
      yield* pipe.read();
    } finally {
      ended.abort(lost());
    }
  }

  async *#carried<T>(source: AsyncIterable<T>, over: AbortSignal, alive: () => boolean): AsyncGenerator<T> {
    const pipe = new Pipe<T>(over);
    void this.#pump(source, pipe, alive);
    yield* pipe.read();
  }

  async *#tampered(events: AsyncIterable<FeedEvent>): AsyncGenerator<FeedEvent> {
    for await (const event of events) {
      const kept = this.tamper(event);
      if (kept !== undefined) yield kept;
    }
  }

  /** In order; once something was lost nothing behind it arrives. */
  async #pump<T>(source: AsyncIterable<T>, pipe: Pipe<T>, alive: () => boolean): Promise<void> {
    try {
      for await (const message of source) {
        await this.#time.wait(1 + this.#random.fraction() * 6);
        if (!alive()) await new Promise(() => {});
        await pipe.write(message);
      }
      pipe.end();
    } catch (error) {
      pipe.end(error);
    }
  }
}

/** A bounded queue between two processes, over when its signal is. */
class Pipe<T> {
  readonly #held: T[] = [];
  readonly #over: AbortSignal;
  #ended: { readonly error?: unknown } | undefined;
  #changed: () => void = () => {};
  #change = new Promise<void>(() => {});

  constructor(over: AbortSignal) {
    this.#over = over;
    this.#renew();
    over.addEventListener('abort', () => this.#wake(), { once: true });
  }

  async write(message: T): Promise<void> {
    while (this.#held.length >= windowMax && !this.#over.aborted) await this.#change;
    this.#held.push(message);
    this.#wake();
  }

  end(error?: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }

  async *read(): AsyncGenerator<T> {
    for (;;) {
      if (this.#over.aborted) throw this.#over.reason;
      const message = this.#held.shift();
      if (message !== undefined) {
        this.#wake();
        yield message;
      } else if (this.#ended !== undefined) {
        if (this.#ended.error !== undefined) throw this.#ended.error;
        return;
      } else await this.#change;
    }
  }

  #wake(): void {
    this.#changed();
    this.#renew();
  }

  #renew(): void {
    this.#change = new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

function lost(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the connection is gone', { reason: 'connection' });
}
