import { describe, expect, it } from 'vitest';
import { SharedSignals, type Signalled } from '../../src/rpc/client/shared-signals.ts';

interface Waiting extends Signalled<Waiting> {
  readonly name: string;
}

function waiting(name: string): Waiting {
  return { name, uses: undefined, before: undefined, after: undefined };
}

/** Tells which calls were aborted, and removes each of them, as its user does. */
function signals() {
  const aborted: string[] = [];
  const shared = new SharedSignals<Waiting>((call) => {
    aborted.push(call.name);
    shared.remove(call);
  });
  return { aborted, shared };
}

/** A signal that counts its listeners. */
function counting() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners++;
    add(...given);
  };
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners--;
    remove(...given);
  };
  return { controller, signal, listeners: () => listeners };
}

describe('calls that share signals', () => {
  it('end in their order with their own signal, those that are removed before not at all', () => {
    const { aborted, shared } = signals();
    const [one, other] = [new AbortController(), new AbortController()];
    const calls = ['a', 'b', 'c', 'd', 'e'].map(waiting);
    for (const call of calls) shared.add(one.signal, call);
    const elsewhere = waiting('elsewhere');
    shared.add(other.signal, elsewhere);
    for (const removed of [0, 2, 4]) shared.remove(calls[removed] ?? elsewhere);
    shared.remove(calls[0] ?? elsewhere);
    one.abort();
    expect(aborted).toEqual(['b', 'd']);
    other.abort();
    expect(aborted).toEqual(['b', 'd', 'elsewhere']);
  });

  it('are listened for once a signal, and no longer than a call uses it, but for the last one', () => {
    const { shared } = signals();
    const [one, other] = [counting(), counting()];
    const calls = ['a', 'b', 'c'].map(waiting);
    for (const call of calls) shared.add(one.signal, call);
    expect(one.listeners()).toBe(1);
    for (const call of calls) shared.remove(call);
    const next = waiting('d');
    shared.add(one.signal, next);
    expect(one.listeners()).toBe(1);
    shared.remove(next);
    shared.add(other.signal, next);
    expect([one.listeners(), other.listeners()]).toEqual([0, 1]);
  });

  it('keep nothing of each other once they are removed', () => {
    const { shared } = signals();
    const { signal } = new AbortController();
    const [first, second, third] = [waiting('first'), waiting('second'), waiting('third')];
    for (const call of [first, second, third]) shared.add(signal, call);
    shared.remove(second);
    expect(second).toEqual(waiting('second'));
    expect([first.after, third.before]).toEqual([third, first]);
  });
});
