import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DelayingProxy } from '../../../src/cli/demo/delaying-proxy.ts';
import type { Clock } from '../../../src/runtime/clock.ts';

/** A clock whose timers run when the test says so, in the order in which they were set. */
class HeldClock implements Clock {
  readonly delaysMs: number[] = [];
  readonly #waiting: Array<() => void> = [];
  #arrived: (() => void) | undefined;

  wallMs = (): number => 0;
  monotonicMs = (): number => 0;

  timer(delayMs: number, run: () => void): { cancel(): void } {
    this.delaysMs.push(delayMs);
    this.#waiting.push(run);
    this.#arrived?.();
    return { cancel: () => {} };
  }

  async untilWaiting(count: number): Promise<void> {
    while (this.#waiting.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  runAll(): void {
    for (const run of this.#waiting.splice(0)) run();
  }
}

describe('the delaying proxy', () => {
  let clock: HeldClock;
  let server: Server;
  let proxy: DelayingProxy;
  let accepted: Promise<Socket>;
  let client: Socket;

  beforeEach(async () => {
    clock = new HeldClock();
    server = createServer({ allowHalfOpen: true });
    accepted = once(server, 'connection').then(([socket]) => socket as Socket);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    proxy = new DelayingProxy({ target, oneWayMs: 45, clock });
    client = connect(Number((await proxy.start()).split(':')[1]), '127.0.0.1');
    await once(client, 'connect');
  });

  afterEach(async () => {
    client.destroy();
    (await accepted).destroy();
    server.close();
    await proxy.stop();
  });

  it('holds bytes back for half a round trip and then delivers them', async () => {
    const far = await accepted;
    let heard = '';
    far.on('data', (bytes) => {
      heard += bytes.toString();
    });
    client.write('hello');
    await clock.untilWaiting(1);
    expect(heard).toBe('');
    expect(clock.delaysMs).toEqual([45]);
    const delivered = once(far, 'data');
    clock.runAll();
    await delivered;
    expect(heard).toBe('hello');
  });

  it('delays the answers too', async () => {
    const far = await accepted;
    far.write('answer');
    await clock.untilWaiting(1);
    const delivered = once(client, 'data');
    clock.runAll();
    expect(String((await delivered)[0])).toBe('answer');
  });

  it('delivers the end of a connection behind its last bytes', async () => {
    const far = await accepted;
    client.end('last words');
    await clock.untilWaiting(2);
    const [heard, ended] = [once(far, 'data'), once(far, 'end')];
    clock.runAll();
    expect(String((await heard)[0])).toBe('last words');
    await ended;
  });
});
