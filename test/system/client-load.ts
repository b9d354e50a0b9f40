import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import type { Namespace } from '../../src/client/namespace.ts';

/** Milliseconds between two requests of one caller. */
const pauseMs = 5;
const callers = 8;
/** Keys that each caller writes in turn. */
const keysOfCaller = 10;

/** Callers that share one client, what they asked a cluster for, and what it answered. Each writes keys of its own. */
export class ClientLoad {
  /** One line a request that failed. */
  readonly failures: string[] = [];
  /** What was acknowledged last of each key; null = its deletion. */
  readonly written = new Map<string, string | null>();
  asked = 0;
  readonly #namespace: Namespace;
  /** What the watch told last of each key. */
  readonly #watched = new Map<string, string | null>();
  readonly #closing = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(client: ClusterHandle, namespace: string) {
    this.#namespace = client.namespace(namespace);
  }

  /** Of four callers each, one gets, one lists, one puts, and one puts and deletes; one watch beside them. */
  start(): void {
    this.#watching = this.#watch();
    this.#running = Promise.all(Array.from({ length: callers }, (_, caller) => this.#run(caller)));
  }

  /** Ends the load once each request under way is answered; the watch goes on. */
  async settle(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Keys of which the watch has not told what was written last. */
  unseen(): string[] {
    return [...this.written].flatMap(([key, value]) => (this.#watched.get(key) === value ? [] : [key]));
  }

  async close(): Promise<void> {
    await this.settle();
    this.#closing.abort();
    await this.#watching;
  }

  async #run(caller: number): Promise<void> {
    for (let turn = 0; !this.#isOver; turn++) {
      const key = `c${caller}-${turn % keysOfCaller}`;
      this.asked++;
      await this.#ask(caller % 4, key, turn).catch((error: Error & { details?: unknown }) => {
        const what = ['get', 'list', 'put', 'put or delete'][caller % 4];
        this.failures.push(`${what} ${key}: ${error.message} ${JSON.stringify(error.details)}`);
      });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #ask(kind: number, key: string, turn: number): Promise<void> {
    if (kind === 0) await this.#namespace.get('k');
    else if (kind === 1) await this.#namespace.list({ prefix: 'k' });
    else if (kind === 3 && turn % 3 === 2) {
      await this.#namespace.delete(key);
      this.written.set(key, null);
    } else {
      await this.#namespace.put(key, `${turn}`);
      this.written.set(key, `${turn}`);
    }
  }

  async #watch(): Promise<void> {
    for await (const change of this.#namespace.watch({ fromStart: true, signal: this.#closing.signal })) {
      if (change.kind === 'put') this.#watched.set(change.key, Buffer.from(change.value ?? []).toString());
      else if (change.kind === 'delete') this.#watched.set(change.key, null);
      else if (change.kind === 'reset') this.#watched.clear();
    }
  }
}
