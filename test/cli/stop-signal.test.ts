import { describe, expect, it } from 'vitest';
import { describeFailure, exitCodes } from '../../src/cli/exit-code.ts';
import { stopSignal } from '../../src/cli/stop-signal.ts';
import { FakeClock } from '../edge/fake-clock.ts';

function started() {
  const clock = new FakeClock();
  const handlers = new Map<string, (name: NodeJS.Signals) => void>();
  const exits: number[] = [];
  const signalled = {
    on: (name: NodeJS.Signals, run: (name: NodeJS.Signals) => void) => handlers.set(name, run),
    exit: (code: number) => exits.push(code),
  };
  const stopped = stopSignal(signalled, clock);
  return { clock, exits, stopped, send: (name: NodeJS.Signals) => handlers.get(name)?.(name) };
}

describe('a process that is told to stop', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('stops at %s', (name) => {
    const { stopped, exits, send } = started();
    send(name);
    expect(stopped.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  it('gives what waits a reason that ends the command as stopped, and not as failed', () => {
    const { stopped, send } = started();
    send('SIGTERM');
    expect(describeFailure(stopped.reason, false)).toEqual({
      exitCode: exitCodes.stopped,
      line: 'meridian: CANCELLED: stopped by SIGTERM',
    });
  });

  it('takes the same signal from the terminal and from npm for one', () => {
    const { clock, exits, send } = started();
    send('SIGINT');
    clock.advance(100);
    send('SIGINT');
    expect(exits).toEqual([]);
  });

  it('exits at once when it is asked again by somebody who does not want to wait', () => {
    const { clock, exits, send } = started();
    send('SIGINT');
    clock.advance(1000);
    send('SIGINT');
    expect(exits).toEqual([130]);
  });
});
