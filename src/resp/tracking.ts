import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Change, FollowOpen } from '../model/feed.ts';
import type { GetAnswer } from '../model/key-value.ts';
import { type NamespaceId, namespaceKey, registryNamespace } from '../model/namespace.ts';
import { strangerOf } from '../model/stranger.ts';
import { emptyVector, type VersionVector } from '../model/version-vector.ts';
import { sleep, type Timer } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { silence } from '../runtime/silence.ts';
import type { Client } from './client.ts';
import { Push } from './protocol/reply.ts';

const bounds = {
  /** Milliseconds before a feed that broke is followed again. */
  againMs: 1000,
  /** Keys of one message. */
  messageKeysMax: 512,
  /** Keys whose expiry is waited for. Of more, the client is told to forget everything. */
  expiringMax: 10_000,
  /** Milliseconds between looks at what has expired. */
  lookMs: 1000,
} as const;

/**
 * Tells one client which keys under its prefixes change, so that it can keep values by itself (CLIENT TRACKING with BCAST).
 *
 * The feed is that of a watch, from an origin, so a change may be told before this node has it. The client's session takes
 * it in first: whatever the client reads afterwards is at least as new, and what was begun before is answered before. An
 * expiry is in no feed: keys with one that the client read are told when their time is over. Where the feed broke nobody
 * knows what was missed: the client is told to forget everything. A client that named its namespace by the title reads
 * another one once that title is another's: so a change of the namespace itself begins all of this anew.
 */
export class Tracking {
  readonly #client: Client;
  readonly #prefixes: readonly string[];
  readonly #loops: Lifecycle;
  /** Seconds since 1970, by key. */
  readonly #expiring = new Map<string, number>();
  #timer: Timer | undefined;

  /** Of the client's namespace: it chooses no other one until this is stopped. */
  constructor(client: Client, prefixes: readonly string[]) {
    this.#client = client;
    this.#prefixes = prefixes;
    this.#loops = new Lifecycle((name, error) => {
      client.parts.logger.log('error', `${name} ended`, { error: String(error) });
    });
  }

  /**
   * Resolves once no change from now on is missed.
   * @throws NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED where too many clients track already
   */
  async start(call: Call): Promise<void> {
    const { trackings } = this.#client.parts;
    call.signal.throwIfAborted();
    if (!trackings.tryAcquire()) throw tooManyTrackings();
    try {
      await new Promise<void>((resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(call.signal.reason), { once: true });
        this.#loops.run('tracking', (signal) => this.#run(signal, { caughtUp: resolve, failed: reject }));
      });
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#expiring.clear();
    void this.#loops.stop();
  }

  /** The client was given this answer. */
  saw({ record }: GetAnswer): void {
    if (record?.kind !== 'live' || record.expiresAt === undefined || !this.#isTracked(record.key)) return;
    this.#expiring.set(record.key, record.expiresAt);
    if (this.#expiring.size > bounds.expiringMax) {
      this.#expiring.clear();
      void this.#forgetAll();
    }
    this.#timer ??= this.#look();
  }

  async #run(
    signal: AbortSignal,
    told: { readonly caughtUp: () => void; readonly failed: (error: unknown) => void },
  ): Promise<void> {
    const { clock, trackings } = this.#client.parts;
    let times = 0;
    const caughtUp = async () => {
      if (times++ === 0) told.caughtUp();
      else await this.#forgetAll();
    };
    try {
      while (!signal.aborted) {
        try {
          await this.#follow(signal, caughtUp);
        } catch (error) {
          if (times === 0) return told.failed(error);
        }
        if (signal.aborted) return;
        if (times > 0) await this.#forgetAll();
        await sleep(clock, bounds.againMs, signal);
      }
    } finally {
      trackings.release();
    }
  }

  /** Until the feed ends, or the namespace's name may mean another one. */
  async #follow(signal: AbortSignal, caughtUp: () => Promise<void>): Promise<void> {
    const id = await this.#find(emptyVector);
    for await (const event of this.#client.upstream.follow(this.#open(id), silence(signal), signal)) {
      if (event.kind === 'resync') await this.#forgetAll();
      if (event.kind === 'changes') {
        const named = event.records.filter((record) => record.namespace === registryNamespace);
        await this.#tell(event.records.filter((record) => record.namespace === id));
        for (const { position, stamp } of named) this.#client.sawRecord(position, stamp);
        if (named.length > 0) return;
      }
      if (event.kind === 'caught-up') {
        // Meanwhile it may have been renamed or deleted, which a feed from now on does not show.
        if ((await this.#find(event.vector)) !== id) return;
        await caughtUp();
      }
    }
  }

  async #find(seen: VersionVector): Promise<NamespaceId> {
    return (await this.#client.within((call) => this.#client.find(seen, call))).id;
  }

  #open(id: NamespaceId): FollowOpen {
    const { random } = this.#client.parts;
    const scopes = this.#prefixes.map((prefix) => ({ namespace: id, prefix }));
    const end = { namespace: registryNamespace, prefix: namespaceKey(id) };
    return {
      ...strangerOf({ name: 'tracking', region: '' }, random),
      role: 'watch',
      filter: { includes: [...scopes, end], excludes: [] },
      values: { kind: 'none' },
      start: { kind: 'now' },
    };
  }

  async #tell(records: readonly Change[]): Promise<void> {
    for (const { key, position, stamp } of records) {
      this.#expiring.delete(key);
      this.#client.sawRecord(position, stamp);
    }
    const keys = [...new Set(records.map(({ key }) => key))];
    for (let at = 0; at < keys.length; at += bounds.messageKeysMax) {
      await this.#invalidate(keys.slice(at, at + bounds.messageKeysMax));
    }
  }

  #forgetAll(): Promise<void> {
    return this.#invalidate(null);
  }

  /** @param keys null = all */
  #invalidate(keys: readonly string[] | null): Promise<void> {
    return this.#client.channel.push(new Push(['invalidate', keys]));
  }

  #isTracked(key: string): boolean {
    return this.#prefixes.some((prefix) => key.startsWith(prefix));
  }

  #look(): Timer {
    const { clock } = this.#client.parts;
    return clock.timer(bounds.lookMs, () => {
      const over = [...this.#expiring]
        .filter(([, atSeconds]) => atSeconds * 1000 <= clock.wallMs())
        .map(([key]) => key);
      for (const key of over) this.#expiring.delete(key);
      if (over.length > 0) void this.#invalidate(over);
      this.#timer = this.#expiring.size === 0 ? undefined : this.#look();
    });
  }
}

function tooManyTrackings(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'this node tracks keys for as many clients as it may', {
    reason: 'too-many-trackings',
    retryAfterMs: 5000,
  });
}
