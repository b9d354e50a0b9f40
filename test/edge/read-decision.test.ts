import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRead, type ReadCase } from '../../src/edge/read-decision.ts';

const ms = fc.integer({ min: 0, max: 20 });
const cases: fc.Arbitrary<ReadCase> = fc.record({
  held: fc.constantFrom('nothing', 'valid', 'superseded'),
  boundMs: fc.option(ms, { nil: undefined }),
  sessionCovered: fc.boolean(),
  maxStalenessMs: ms,
  explicit: fc.boolean(),
  atOrigin: fc.boolean(),
  staleWhileRevalidateMs: ms,
  staleIfErrorMs: ms,
  upstreamThere: fc.boolean(),
  loadFailed: fc.boolean(),
});

function always(law: (read: ReadCase, decision: ReturnType<typeof decideRead>) => boolean): void {
  fc.assert(
    fc.property(cases, (read) => law(read, decideRead(read))),
    { numRuns: 2000 },
  );
}

const fromHeld = ['serve', 'serve-and-refresh', 'serve-stale'];

describe('the decision of a read', () => {
  it('serves nothing where nothing is held', () => {
    always((read, decision) => read.held !== 'nothing' || !fromHeld.includes(decision));
  });

  it('serves at once whether or not an upstream is there', () => {
    always((read, decision) => {
      return (decision === 'serve') === (decideRead({ ...read, upstreamThere: !read.upstreamThere }) === 'serve');
    });
  });

  it('serves nothing held that falls short of the session', () => {
    always((read, decision) => read.sessionCovered || !fromHeld.includes(decision));
  });

  it('serves nothing held to a read that asks the origin', () => {
    always((read, decision) => !(read.atOrigin || read.maxStalenessMs === 0) || !fromHeld.includes(decision));
  });

  it('serves as good only what is valid, known and within the bound', () => {
    always((read, decision) => {
      const good = read.held === 'valid' && read.boundMs !== undefined && read.boundMs <= read.maxStalenessMs;
      return decision !== 'serve' || good;
    });
  });

  it('refreshes only what is past the bound by no more than it may be', () => {
    always((read, decision) => {
      if (decision !== 'serve-and-refresh') return true;
      const { boundMs, maxStalenessMs, staleWhileRevalidateMs } = read;
      return (
        read.held === 'valid' &&
        boundMs !== undefined &&
        boundMs > maxStalenessMs &&
        boundMs <= maxStalenessMs + staleWhileRevalidateMs
      );
    });
  });

  it('serves no stale answer past its bound, nor of an unknown age where an age was asked for', () => {
    always((read, decision) => {
      if (decision !== 'serve-stale') return true;
      if (read.boundMs === undefined) return !read.explicit && read.held === 'valid';
      return read.boundMs <= read.maxStalenessMs + read.staleIfErrorMs;
    });
  });

  it('loads before it refuses, and never loads again after a load failed', () => {
    always((read, decision) => (decision === 'load' ? !read.loadFailed : true));
    always((read, decision) => (decision === 'refuse' ? read.loadFailed : true));
  });

  it('serves stale without trying where no upstream is there', () => {
    const read: ReadCase = {
      held: 'valid',
      boundMs: 15,
      sessionCovered: true,
      maxStalenessMs: 10,
      explicit: true,
      atOrigin: false,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 5,
      upstreamThere: false,
      loadFailed: false,
    };
    expect(decideRead(read)).toBe('serve-stale');
    expect(decideRead({ ...read, upstreamThere: true })).toBe('load');
    expect(decideRead({ ...read, staleIfErrorMs: 4 })).toBe('load');
    expect(decideRead({ ...read, staleIfErrorMs: 4, loadFailed: true })).toBe('refuse');
  });
});
