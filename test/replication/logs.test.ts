import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogId } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { covers, equalVectors, joinVectors, type VersionVector } from '../../src/model/version-vector.ts';
import { Logs } from '../../src/replication/logs.ts';
import { tombstone } from '../contract/sample-records.ts';
import { current, log, member, openedAt, registered, removed, sealed, vector } from './registry-records.ts';

function knowing(...records: Parameters<Logs['apply']>[0][]): Logs {
  const logs = new Logs();
  for (const record of records) logs.apply(record);
  return logs;
}

/** Counts how often it is asked for a component. */
class CountedVector extends Map<LogId, number> {
  looks = 0;

  override get(key: LogId): number | undefined {
    this.looks++;
    return super.get(key);
  }
}

const chainLength = 100;

/** Log n of 100 ends at n and is sealed at the second place of log n + 1; the last one goes on. */
function chain(): Logs {
  const logs = knowing(registered(chainLength, 1));
  for (let n = 1; n < chainLength; n++) logs.apply(sealed(n, 1, n + 1, [n + 1, 2]));
  return logs;
}

describe('what a vector reaches in a log', () => {
  it('is its own component, or all up to a seal whose position it covers', () => {
    const logs = knowing(registered(2, 1), sealed(1, 1, 5, [2, 2]));
    expect(logs.reach(vector({ 2: 3 }), log(1))).toBe(5);
    expect(logs.reach(vector({ 2: 1 }), log(1))).toBe(0);
    expect(logs.reach(vector({ 1: 3, 2: 1 }), log(1))).toBe(3);
    expect(logs.reach(vector({ 1: 7 }), log(1)), 'also beyond the seal').toBe(7);
    expect(logs.reach(vector({ 1: 3 }), log(9)), 'of an unknown log').toBe(0);
  });

  it('passes through a chain of a hundred seals, and ends where one of them is not covered', () => {
    const logs = chain();
    const last = vector({ [chainLength]: 2 });
    expect(logs.reach(last, log(1))).toBe(2);
    expect(logs.coversPosition(last, { log: log(1), sequence: 2 })).toBe(true);
    expect(logs.coversPosition(last, { log: log(1), sequence: 3 }), 'beyond a seal').toBe(false);
    const before = vector({ [chainLength]: 1 });
    expect(logs.reach(before, log(1))).toBe(0);
    expect(logs.coversPosition(before, { log: log(99), sequence: 1 })).toBe(false);
    expect(logs.fold(joinVectors(logs.unfold(last), last))).toEqual(last);
    expect(logs.unfold(last).size).toBe(chainLength);
  });

  it('is told in a few looks, however many seals are passed, and of all logs in a few looks at each', () => {
    const logs = chain();
    const looksOf = (of: VersionVector, ask: (counted: VersionVector) => unknown) => {
      const counted = new CountedVector(of);
      ask(counted);
      return counted.looks;
    };
    const [last, behind] = [vector({ [chainLength]: 2 }), vector({ 1: 1, [chainLength]: 1 })];
    const shown = { position: { log: log(1), sequence: 1 }, stamp: openedAt(1) };
    expect(looksOf(last, (covered) => logs.coversPosition(covered, shown.position))).toBeLessThan(5);
    expect(looksOf(last, (covered) => logs.session(emptySession, shown, covered))).toBeLessThan(10);
    for (const of of [last, behind]) expect(looksOf(of, (each) => logs.unfold(each))).toBeLessThan(5 * chainLength);
  });

  it('is nothing through a seal whose own position lies beyond the end of its log', () => {
    const logs = knowing(sealed(1, 1, 5, [2, 4]), sealed(2, 1, 3, [3, 2]), registered(3, 1));
    expect(logs.reach(vector({ 3: 9 }), log(1))).toBe(0);
    expect(logs.reach(vector({ 3: 9 }), log(2))).toBe(3);
  });

  it('is nothing through seals that name each other’s logs in a ring, nor through a seal in its own log', () => {
    const ring = knowing(sealed(1, 1, 5, [2, 2]), sealed(2, 2, 5, [3, 2]), sealed(3, 3, 5, [1, 2]));
    expect(ring.coversPosition(vector({}), { log: log(1), sequence: 1 })).toBe(false);
    for (const n of [1, 2, 3]) expect(ring.reach(vector({}), log(n))).toBe(0);
    expect(ring.unfold(vector({})).size).toBe(0);
    const itself = knowing(sealed(1, 1, 5, [1, 6]));
    expect(itself.reach(vector({ 1: 2 }), log(1))).toBe(2);
    expect(itself.fold(vector({ 1: 2 }))).toEqual(vector({ 1: 2 }));
  });
});

/**
 * Seals of some of six logs, each at a position of any other: chains, and seals beyond the end of their log. Who writes a
 * seal covers what it seals, so no seal stands, within the end of its log, before one that it depends on: there is no ring.
 */
const numbers = [1, 2, 3, 4, 5, 6];
const anySeal = fc.record({
  final: fc.integer({ min: 1, max: 5 }),
  by: fc.constantFrom(...numbers),
  at: fc.integer({ min: 1, max: 6 }),
});
type AnySeal = typeof anySeal extends fc.Arbitrary<infer S> ? S : never;

function closesRing(n: number, seals: ReadonlyMap<number, AnySeal>): boolean {
  let seal = seals.get(n);
  for (const seen = new Set([n]); seal !== undefined; ) {
    const { by, at } = seal;
    seal = seals.get(by);
    if (seal === undefined || at > seal.final) return false;
    if (seen.has(by)) return true;
    seen.add(by);
  }
  return false;
}

const anyLogs = fc.array(fc.option(anySeal), { minLength: numbers.length, maxLength: numbers.length }).map((drawn) => {
  const seals = new Map<number, AnySeal>();
  for (const [index, seal] of drawn.entries()) {
    if (seal === null || seal.by === index + 1) continue;
    seals.set(index + 1, seal);
    if (numbers.some((n) => closesRing(n, seals))) seals.delete(index + 1);
  }
  const records = numbers.map((n) => {
    const seal = seals.get(n);
    return seal === undefined ? registered(n, n) : sealed(n, n, seal.final, [seal.by, seal.at]);
  });
  return knowing(...records);
});

const anyVector: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(fc.constantFrom(...numbers), fc.integer({ min: 1, max: 6 })), { maxLength: 6 })
  .map((components) => new Map(components.map(([n, sequence]) => [log(n), sequence])));

/** A vector as a node may hold it: it goes beyond no seal. */
const withinSeals = fc.tuple(anyLogs, anyVector).map(([logs, any]) => [logs, logs.clip(any)] as const);

/** All positions that count, of every log. */
const places = numbers.flatMap((n) => [1, 2, 3, 4, 5, 6].map((sequence) => ({ log: log(n), sequence })));

/** The positions that the vector covers. */
const implied = (logs: Logs, of: VersionVector) => places.filter((place) => logs.coversPosition(of, place));

describe('folding', () => {
  it('implies exactly what the vector implies', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        expect(implied(logs, logs.fold(v))).toEqual(implied(logs, v));
      }),
    );
  });

  it('changes nothing of what the vector unfolds to, which implies the same again', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        const unfolded = logs.unfold(v);
        expect(equalVectors(logs.unfold(logs.fold(v)), unfolded)).toBe(true);
        expect(implied(logs, unfolded)).toEqual(implied(logs, v));
        expect(covers(unfolded, v)).toBe(true);
        expect(equalVectors(logs.unfold(unfolded), unfolded)).toBe(true);
      }),
    );
  });

  it('is done at once: what is folded folds to itself, and leaves out no log that is not sealed', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        const folded = logs.fold(v);
        expect(logs.fold(folded)).toBe(folded);
        for (const [id, sequence] of v) {
          if (logs.get(id)?.seal === undefined) expect(folded.get(id)).toBe(sequence);
        }
        for (const [id, sequence] of folded) expect(v.get(id)).toBe(sequence);
      }),
    );
  });

  it('says with each component of the unfolded vector how far the vector reaches', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        const unfolded = logs.unfold(v);
        for (const n of numbers) expect(unfolded.get(log(n)) ?? 0).toBe(logs.reach(v, log(n)));
      }),
    );
  });
});

describe('folding where seals name each other’s logs in a ring', () => {
  it('leaves out what the rest implies, and not the rest with it', () => {
    const logs = knowing(sealed(1, 1, 5, [2, 2]), sealed(2, 2, 5, [1, 2]));
    expect(logs.fold(vector({ 1: 5, 2: 5 }))).toEqual(vector({ 2: 5 }));
  });
});

describe('clipping', () => {
  it('never exceeds a seal, and gives up nothing else of what the vector implied', () => {
    fc.assert(
      fc.property(anyLogs, anyVector, (logs, v) => {
        const clipped = logs.clip(v);
        expect(logs.beyondIn(clipped)).toBe(undefined);
        const counted = implied(logs, v).filter((place) => !logs.isBeyond(place));
        expect(implied(logs, clipped)).toEqual(expect.arrayContaining(counted));
        expect(implied(logs, clipped).filter((place) => !counted.includes(place))).toEqual([]);
      }),
    );
  });

  it('leaves a vector within the seals as folding leaves it', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        expect(equalVectors(logs.clip(v), logs.fold(v))).toBe(true);
      }),
    );
  });
});

describe('what one vector lacks of another', () => {
  it('is nothing of itself, nor of what it unfolds or folds to', () => {
    fc.assert(
      fc.property(withinSeals, ([logs, v]) => {
        expect(logs.missing(v, logs.unfold(v))).toEqual([]);
        expect(logs.missing(v, logs.fold(v))).toEqual([]);
        expect(logs.missing(logs.fold(v), v)).toEqual([]);
      }),
    );
  });

  it('counts up to the seal of a log, and not at all of a void one', () => {
    const logs = knowing(registered(2, 1), sealed(1, 1, 5, [2, 2]), registered(3, 1), current(1, 2, [2, 3]));
    expect(logs.covers(vector({ 2: 3 }), vector({ 1: 9 })), 'sealed at 5').toBe(true);
    expect(logs.missing(vector({ 2: 1 }), vector({ 1: 9 }))).toEqual([log(1)]);
    expect(logs.missing(vector({ 2: 3 }), vector({ 3: 1 })), 'opened later than what is current').toEqual([log(3)]);
    logs.apply(current(1, 4, [2, 4]));
    logs.apply(registered(4, 1));
    expect(logs.missing(vector({ 2: 4 }), vector({ 3: 1 }))).toEqual([]);
  });
});

describe('what a vector lacks of a session', () => {
  it('is also what lies beyond a seal, or in a void log: who sealed it may have forgotten that (R14)', () => {
    const logs = knowing(registered(2, 1), registered(3, 1), sealed(1, 1, 5, [3, 2]), current(1, 3, [3, 3]));
    const covered = vector({ 3: 3 });
    const session = vector({ 1: 6, 2: 1, 3: 3 });
    expect(logs.missing(covered, session)).toEqual([]);
    expect(logs.uncovered(covered, session)).toEqual([log(1), log(2)]);
    expect(logs.uncovered(covered, vector({ 1: 5 }))).toEqual([]);
  });
});

describe('a log that is void', () => {
  const logs = knowing(registered(1, 1), registered(2, 1), registered(3, 1), current(1, 2, [2, 2]));

  it('is one of a member that named a later log as current, once that is covered, and is not sealed', () => {
    expect(logs.isVoid(log(1), vector({ 2: 2 }))).toBe(true);
    expect(logs.isVoid(log(1), vector({ 2: 1 })), 'not heard of yet').toBe(false);
    expect(logs.isVoid(log(2), vector({ 2: 2 })), 'the current one').toBe(false);
    expect(logs.isVoid(log(3), vector({ 2: 2 })), 'opened later').toBe(false);
    expect(logs.isVoid(log(9), vector({ 2: 2 })), 'unknown').toBe(false);
    const seals = knowing(registered(2, 1), current(1, 2, [2, 2]), sealed(1, 1, 5, [2, 1]));
    expect(seals.isVoid(log(1), vector({ 2: 2 })), 'sealed').toBe(false);
    expect(seals.counting(log(1), 9, vector({ 2: 2 }))).toBe(5);
    expect(seals.counting(log(1), 9, vector({ 2: 0 })), 'its seal is heard of and not covered').toBe(9);
    expect(logs.counting(log(1), 9, vector({ 2: 2 }))).toBe(0);
  });

  it('is for the member itself any but the one that it writes in, once it has said so', () => {
    const own = knowing(registered(1, 1), registered(2, 1), registered(3, 1), current(1, 2, [2, 2]));
    own.self = { member: member(1), log: () => log(2) };
    expect(own.isVoid(log(3), vector({ 2: 2 }))).toBe(true);
    own.self = { member: member(1), log: () => log(3) };
    expect(own.isVoid(log(1), vector({ 2: 2 })), 'it has not said so in this opening').toBe(false);
  });

  it('is every one of a removed member that its removal did not seal', () => {
    const after = knowing(registered(1, 1), registered(2, 1), sealed(1, 1, 3, [8, 2]), removed(1, 2, [8, 3]));
    expect(after.isVoid(log(2), vector({ 8: 3 }))).toBe(true);
    expect(after.isVoid(log(2), vector({ 8: 2 })), 'not heard of yet').toBe(false);
    expect(after.isVoid(log(1), vector({ 8: 3 })), 'sealed').toBe(false);
  });
});

describe('what is known of logs', () => {
  it('takes in the registry’s records of logs alone, and grows its version with each', () => {
    const logs = new Logs();
    expect(logs.apply(registered(1, 1))).toBe(true);
    const { version } = logs;
    const other = { ...registered(2, 1), key: 'title/x' };
    expect([logs.apply(other), logs.apply(tombstone({ key: 'log/x', sequence: 1 }))]).toEqual([false, false]);
    expect(logs.version).toBe(version);
    expect(logs.newest(member(1))?.opened).toBe(openedAt(1));
    logs.apply(registered(7, 1));
    expect(logs.newest(member(1))?.log).toBe(log(7));
    expect(logs.of(member(1)).map(({ log: id }) => id)).toEqual([log(1), log(7)]);
    logs.clear();
    expect([...logs.all()]).toEqual([]);
    expect(logs.version).toBeGreaterThan(version);
  });
});

describe('the session that an answer carries on', () => {
  const stampOf = (n: number) => openedAt(n);

  it('names the last seal of the chain in place of each sealed log, and so stays small', () => {
    const logs = chain();
    const asked = { vector: new Map(numbers.map((n): [LogId, number] => [log(n), 1])), stamp: stampOf(1) };
    const covered = vector({ [chainLength]: 2 });
    const seen = { position: { log: log(chainLength), sequence: 2 }, stamp: stampOf(chainLength) };
    expect(logs.session(asked, seen, covered)).toEqual({ vector: covered, stamp: stampOf(chainLength) });
  });

  it('keeps what the rest does not imply: a log that goes on, or whose seal is not covered here', () => {
    const logs = knowing(registered(2, 1), sealed(1, 1, 5, [2, 2]), registered(3, 2));
    const asked = { ...emptySession, vector: vector({ 1: 4, 3: 2 }) };
    const seen = { covered: vector({ 2: 1 }) };
    expect(logs.session(asked, seen, vector({ 2: 1 })).vector).toEqual(vector({ 1: 4, 2: 1, 3: 2 }));
  });

  it('keeps what lies in a void log, or beyond a seal: an origin cuts that, by proof', () => {
    const logs = knowing(registered(1, 1), registered(2, 1), current(1, 2, [2, 2]));
    const answered = (asked: Record<number, number>) =>
      logs.session({ ...emptySession, vector: vector(asked) }, { covered: vector({ 2: 2 }) }, vector({ 2: 2 })).vector;
    expect(answered({ 1: 9 })).toEqual(vector({ 1: 9, 2: 2 }));
    logs.apply(sealed(1, 1, 5, [2, 1]));
    expect(answered({ 1: 9 })).toEqual(vector({ 1: 9, 2: 2 }));
    expect(answered({ 1: 5 })).toEqual(vector({ 2: 2 }));
  });

  it('requires no less than was asked, of who comes to ask next, wherever the session was covered', () => {
    fc.assert(
      fc.property(anyLogs, anyVector, anyVector, (logs, any, more) => {
        // A node answers only once it covers the session.
        const asked = logs.clip(any);
        const covered = logs.clip(joinVectors(asked, more));
        const { vector: carried } = logs.session({ ...emptySession, vector: asked }, { covered: new Map() }, covered);
        expect(logs.missing(carried, asked, covered)).toEqual([]);
      }),
    );
  });

  it('is told anew once more is known, or covered, however often it was asked for before', () => {
    const logs = knowing(registered(1, 1), registered(2, 1));
    const asked = { ...emptySession, vector: vector({ 1: 4 }) };
    const seen = { position: { log: log(1), sequence: 3 }, stamp: stampOf(1) };
    const [before, after] = [vector({ 1: 4, 2: 1 }), vector({ 1: 4, 2: 2 })];
    const carried = (covered: VersionVector) => [1, 2].map(() => logs.session(asked, seen, covered).vector);
    expect(carried(before)).toEqual([vector({ 1: 4 }), vector({ 1: 4 })]);
    logs.apply(sealed(1, 1, 5, [2, 2]));
    expect(carried(before)).toEqual([vector({ 1: 4 }), vector({ 1: 4 })]);
    expect(carried(after)).toEqual([vector({ 2: 2 }), vector({ 2: 2 })]);
  });

  it('names no seal that its responder holds and does not cover yet', () => {
    const logs = knowing(registered(3, 1), sealed(1, 1, 5, [2, 2]), sealed(2, 1, 4, [3, 2]));
    const covered = vector({ 2: 3 });
    const { vector: carried } = logs.session({ ...emptySession, vector: vector({ 1: 4 }) }, { covered }, covered);
    expect(logs.missing(covered, carried)).toEqual([]);
  });
});
