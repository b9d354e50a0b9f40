import type { Call } from '../../../src/model/call.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../../src/model/feed.ts';
import type { Peer, Upstream } from '../../../src/model/upstream.ts';
import type { Connection } from './connection.ts';
import { lost, type Path } from './path.ts';
import { Pipe } from './pipe.ts';

export interface LinkOptions {
  readonly path: Path;
  /** The node at the far end as it is now; undefined while it is down. */
  readonly target: () => Upstream | undefined;
  /** What becomes of each event of a feed; undefined = it is lost. Tests look at events with it, or break rules. */
  readonly tamper?: (event: FeedEvent, open: FollowOpen) => FeedEvent | undefined;
  /** Told of each answer that arrives. */
  readonly answered?: (method: keyof Upstream, args: readonly unknown[], answer: unknown) => void;
}

const methods = [
  ...['get', 'list', 'write', 'create', 'find', 'namespaces', 'rename', 'remove', 'moveHome'],
  ...['status', 'members', 'removeMember', 'report', 'digestRange'],
  ...['createToken', 'tokens', 'rotateToken', 'revokeToken'],
];

/** A node as it is reached over a path: the simulator's form of an Upstream over a connection. */
export function linkTo(options: LinkOptions): Peer {
  const link = new Link(options);
  const called = methods.map((name) => [name, (...args: unknown[]) => link.call(name as keyof Upstream, args)]);
  const peek = (): undefined => undefined;
  return { ...Object.fromEntries(called), peek, follow: link.follow.bind(link) } as Peer;
}

class Link {
  readonly #options: LinkOptions;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  async call(name: keyof Upstream, args: unknown[]): Promise<unknown> {
    const connection = this.#options.path.connect();
    const release = this.#limited(connection, args.at(-1) as Call);
    try {
      await connection.carry('there');
      const target = this.#target();
      const asked = (target[name] as (...args: unknown[]) => Promise<unknown>).apply(target, args);
      const answer = await connection.answered(asked);
      const { time, slowAnswersMs } = this.#options.path;
      if (slowAnswersMs > 0) await time.wait(slowAnswersMs);
      await connection.carry('back');
      this.#options.answered?.(name, args, answer);
      return answer;
    } finally {
      release();
      connection.end(lost());
    }
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const { path, tamper = (event: FeedEvent) => event } = this.#options;
    const connection = path.connect();
    const ending = new AbortController();
    connection.onEnd((error) => ending.abort(error));
    const abort = () => connection.end(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await connection.carry('there');
      const outward = new Pipe(messages, connection, 'there').read();
      const events = this.#target().follow(open, outward, ending.signal);
      for await (const event of new Pipe(events, connection, 'back').read()) {
        if (path.slowMs > 0) await path.time.wait(path.slowMs);
        const kept = tamper(event, open);
        if (kept !== undefined) yield kept;
      }
    } finally {
      signal.removeEventListener('abort', abort);
      connection.end(lost());
    }
  }

  #target(): Upstream {
    const target = this.#options.target();
    if (target === undefined) throw lost();
    return target;
  }

  /** The caller's deadline and signal end the connection. */
  #limited(connection: Connection, { deadlineMs, signal }: Call): () => void {
    const { time } = this.#options.path;
    const timer = time.at(deadlineMs - time.nowMs, () =>
      connection.end(new MeridianError('DEADLINE_EXCEEDED', 'no answer in time', { reason: 'deadline' })),
    );
    const abort = () => connection.end(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return () => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    };
  }
}
