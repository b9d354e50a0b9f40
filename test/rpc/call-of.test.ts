import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { callOf } from '../../src/rpc/server/call-of.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

class FakeServed extends EventEmitter {
  cancelled = false;

  getPeer(): string {
    return '127.0.0.1:1';
  }

  getPath(): string {
    return '/meridian.v1.KV/Get';
  }

  getDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

const timing = { clock: systemClock, requestTimeoutMs: 1000 };

describe('a served call', () => {
  it('aborts its signal when the caller goes, whether the signal was looked at before or is looked at after', () => {
    const [before, after] = [new FakeServed(), new FakeServed()];
    const { signal } = callOf(before, timing);
    expect(signal.aborted).toBe(false);
    before.cancel();
    expect(signal.aborted).toBe(true);
    const call = callOf(after, timing);
    after.cancel();
    expect(call.signal.aborted).toBe(true);
    expect(call.signal.reason).toMatchObject({ code: 'CANCELLED' });
  });

  it('makes no signal for whom does not look, and one for all who do', () => {
    const served = new FakeServed();
    const call = callOf(served, timing);
    expect(served.listenerCount('cancelled')).toBe(0);
    expect(call.signal).toBe(call.signal);
    expect(served.listenerCount('cancelled')).toBe(1);
  });
});
