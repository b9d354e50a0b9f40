import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { Connections } from '../../src/runtime/connections.ts';
import { FakeClock } from '../edge/fake-clock.ts';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  destroyed = false;
  constructor(address: string) {
    super();
    this.remoteAddress = address;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const limits = { connectionsMax: 3, perAddressMax: 2, reservedMax: 1, idleMsMin: 1000 };

describe('the connections of a listener', () => {
  let clock: FakeClock;
  let connections: Connections;

  beforeEach(() => {
    clock = new FakeClock();
    connections = new Connections(limits, clock);
  });

  function open(address: string): FakeSocket {
    const socket = new FakeSocket(address);
    if (!connections.add(socket)) socket.destroyed = true;
    return socket;
  }
  const begin = (socket: FakeSocket) => connections.begin(socket);
  const end = (socket: FakeSocket) => connections.end(socket);

  it('closes the one that has been idle for the longest when another comes', () => {
    const [first, second, third] = [open('a'), open('b'), open('c')];
    for (const socket of [first, second]) begin(socket);
    clock.advance(10);
    end(second);
    clock.advance(10);
    end(first);
    begin(third);
    clock.advance(2000);
    open('d');
    expect([first, second, third].map(({ destroyed }) => destroyed)).toEqual([false, true, false]);
  });

  it('closes none that was idle for a moment only: its request may be on its way', () => {
    const sockets = [open('a'), open('b'), open('c')];
    clock.advance(limits.idleMsMin - 1);
    const fourth = open('d');
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
    expect(fourth.destroyed).toBe(false);
    expect(begin(fourth)).toBe(false);
  });

  it('serves one of the reserve in full as soon as there is room', () => {
    const sockets = [open('a'), open('b'), open('c')];
    for (const socket of sockets) begin(socket);
    const spare = open('d');
    expect(begin(spare)).toBe(false);
    end(spare);
    sockets[0]?.destroy();
    expect(begin(spare)).toBe(true);
    expect(connections.size).toBe(3);
  });

  it('turns away who finds the reserve full, until one of it was idle for long', () => {
    for (const socket of [open('a'), open('b'), open('c')]) begin(socket);
    const silent = open('d');
    expect(open('e').destroyed).toBe(true);
    clock.advance(limits.idleMsMin);
    expect(open('f').destroyed).toBe(false);
    expect(silent.destroyed).toBe(true);
  });

  it('gives one address no more than its share', () => {
    const [first, second] = [open('a'), open('a')];
    for (const socket of [first, second]) begin(socket);
    expect(begin(open('a'))).toBe(false);
    expect(begin(open('b'))).toBe(true);
  });
});
