import { describe, expect, it } from 'vitest';
import type { NodeIdentity } from '../../src/model/cluster.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { FollowerProof } from '../../src/replication/serving/follower-proof.ts';
import { Tracks } from '../../src/replication/serving/tracks.ts';
import { HandClock } from './clocks/hand-clock.ts';

const log = 'a'.repeat(16) as LogId;
const other = 'b'.repeat(16) as LogId;
const fra: NodeIdentity = { name: 'fra', role: 'edge', id: 'f', region: 'eu' };

function record(sequence: number, of = log): Record {
  const namespace = '1'.repeat(32) as NamespaceId;
  return { kind: 'tombstone', namespace, key: 'k', stamp: bottomStamp, position: { log: of, sequence } };
}

describe('tracks', () => {
  it('tell within how many milliseconds each follower had a write, by one clock', () => {
    const clock = new HandClock();
    const tracks = new Tracks(clock);
    tracks.begin({ log, sequence: 7 });
    clock.pass(2);
    const [sent] = tracks.sent([record(6), record(7)], fra, 'copy');
    clock.pass(91);
    tracks.arrived(sent?.id ?? 0, fra, 'copy');
    clock.pass(500);
    tracks.arrived(sent?.id ?? 0, fra, 'copy');
    expect(tracks.status()).toMatchObject([
      { log, sequence: 7, ageMs: 593, arrivals: [{ name: 'fra', elapsedMs: 93 }] },
    ]);
  });

  it('say nothing of a follower that has not answered, and believe nobody who was not told', () => {
    const tracks = new Tracks(new HandClock());
    tracks.begin({ log, sequence: 7 });
    const [sent] = tracks.sent([record(7)], fra, 'copy');
    tracks.arrived(sent?.id ?? 0, { ...fra, id: 'x' }, 'copy');
    tracks.arrived(99, fra, 'copy');
    const [track] = tracks.status();
    expect(track?.arrivals).toEqual([{ name: 'fra', role: 'edge', id: 'f', region: 'eu', scope: 'copy' }]);
  });

  it('leave commits alone that carry no tracked write', () => {
    const tracks = new Tracks(new HandClock());
    expect(tracks.sent([record(7)], fra, 'copy')).toEqual([]);
    tracks.begin({ log, sequence: 7 });
    expect(tracks.sent([record(8), record(7, other)], fra, 'copy')).toEqual([]);
  });

  it('are told all together where one commit has several', () => {
    const tracks = new Tracks(new HandClock());
    const positions = [
      { log, sequence: 7 },
      { log: other, sequence: 7 },
      { log, sequence: 9 },
    ];
    for (const position of positions) tracks.begin(position);
    const sent = tracks.sent([record(7), record(8), record(9), record(7, other)], fra, 'copy');
    expect(sent.map(({ position }) => position)).toEqual([positions[0], positions[2], positions[1]]);
    for (const { id } of sent) tracks.arrived(id, fra, 'copy');
    expect(tracks.status().map(({ arrivals }) => arrivals.map(({ elapsedMs }) => elapsedMs))).toEqual([[0], [0], [0]]);
  });

  it('begin eight times a second at the most, whatever is written', () => {
    const clock = new HandClock();
    const tracks = new Tracks(clock);
    for (let sequence = 1; sequence <= 1000; sequence++) tracks.begin({ log, sequence });
    expect(tracks.status()).toHaveLength(8);
    clock.pass(1000);
    tracks.begin({ log, sequence: 1001 });
    expect(tracks.status().at(-1)).toMatchObject({ sequence: 1001 });
  });

  it('tell of so many arrivals in all, that a status stays one message', () => {
    const clock = new HandClock();
    const tracks = new Tracks(clock);
    for (let sequence = 1; sequence <= 16; sequence++) {
      tracks.begin({ log, sequence });
      clock.pass(125);
    }
    const records = Array.from({ length: 16 }, (_, n) => record(n + 1));
    for (let n = 0; n < 1000; n++) tracks.sent(records, { ...fra, id: `edge ${n}` }, 'cache');
    const told = tracks.status().reduce((sum, { arrivals }) => sum + arrivals.length, 0);
    expect(told).toBe(8192);
  });

  it('are kept for a minute, and sixteen at the most', () => {
    const clock = new HandClock();
    const tracks = new Tracks(clock);
    for (let sequence = 1; sequence <= 20; sequence++) {
      tracks.begin({ log, sequence });
      clock.pass(125);
    }
    expect(tracks.status().map(({ sequence }) => sequence)).toEqual(Array.from({ length: 16 }, (_, n) => n + 5));
    clock.pass(60_001);
    expect(tracks.status()).toEqual([]);
  });
});

describe('the proof of how old a follower is', () => {
  it('goes by the arrival of the probe whose echo is applied, and grows until the next', () => {
    const clock = new HandClock();
    const proof = new FollowerProof(clock, 1000);
    expect(proof.boundMs()).toBeUndefined();
    proof.echoed(7, proof.now(), 20);
    clock.pass(80);
    proof.applied(7);
    expect(proof.boundMs()).toBe(100);
    clock.pass(50);
    expect(proof.boundMs()).toBe(150);
  });

  it('is unknown where the server did not know its own age, and not moved by an echo that was never sent', () => {
    const clock = new HandClock();
    const proof = new FollowerProof(clock, 1000);
    proof.echoed(1, proof.now(), 0);
    proof.applied(1);
    proof.applied(5);
    expect(proof.boundMs()).toBe(0);
    proof.echoed(2, proof.now(), undefined);
    proof.applied(2);
    expect(proof.boundMs()).toBeUndefined();
  });

  it('is unknown once the machine has slept, until an echo that was sent since is applied', () => {
    const clock = new HandClock();
    const proof = new FollowerProof(clock, 1000);
    proof.echoed(1, proof.now(), 0);
    proof.applied(1);
    const before = proof.now();
    clock.step(60_000); // As a clock that stood still in between sees it.
    expect(proof.boundMs()).toBeUndefined();
    proof.echoed(2, before, 0);
    proof.applied(2);
    expect(proof.boundMs()).toBeUndefined();
    proof.echoed(3, proof.now(), 0);
    proof.applied(3);
    expect(proof.boundMs()).toBe(0);
  });
});
