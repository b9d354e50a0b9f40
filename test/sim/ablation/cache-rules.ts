import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps a cache true, and sessions. */
export const cacheRules: readonly RuleTakenOut[] = [
  {
    name: 'R12 flights listen: an answer that the feed has outrun is kept',
    edits: [{ file: 'edge/part', from: 'flight.latest = stamp;', to: '{}' }],
    expected: /./,
    seed: 12,
  },
  {
    name: 'R13 responder covers: what was loaded is kept across a resync',
    edits: [
      { file: 'edge/part', from: 'part.generation() === begun.generation &&', to: '' },
      { file: 'edge/part', from: 'part.ledger.state.epochs === begun.epochs &&', to: '' },
      { file: 'edge/cache-part', from: 'if (generation !== this.#generation)', to: 'if (false)' },
    ],
    expected: /./,
    history: 'a load across a resync',
  },
  {
    name: 'R14 sessions: what is held serves any session',
    edits: [
      { file: 'edge/reads', from: 'const missing = missingOrigins(covered, session);', to: 'const missing = [];' },
    ],
    expected: /session/,
  },
  {
    name: 'caches: a superseded entry goes on to be served as valid',
    edits: [{ file: 'edge/cache-part', from: 'if (entry.superseded === undefined)\n', to: 'if (true)\n' }],
    expected: /bound|covers|session/,
    seed: 2,
  },
  {
    name: 'caches: what a first scan left when it broke off is kept',
    edits: [{ file: 'edge/cache-part', from: 'if (this.#unvouched ||', to: 'if (' }],
    expected: /namespace|covers/,
    history: 'a first scan of a cache that breaks off',
  },
  {
    name: 'caches: a title is resolved by a part that lags behind the one that answers',
    edits: [
      {
        file: 'edge/edge-parts',
        from: 'const namespace = part.ledger.registry.resolve(name);',
        to: 'const namespace = this.resolve(name);',
      },
    ],
    expected: /namespace/,
    seed: 126,
  },
  {
    name: 'R13 responder covers: what a lagging upstream answered is kept',
    edits: [{ file: 'edge/part', from: 'covers(covered, begun.known)', to: 'true' }],
    expected: /cache covers/,
    history: 'a cache refilled from a lagging upstream',
  },
  {
    name: 'the audit: an absence that a load brought is compared',
    edits: [{ file: 'edge/audit/compare-key', from: 'held.position.sequence > 0 && ', to: '' }],
    expected: /the audit of a cache/,
    seed: 2_001_688,
    topology: 'relays',
  },
];
