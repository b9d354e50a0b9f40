import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps true who follows an edge. */
export const relayRules: readonly RuleTakenOut[] = [
  {
    name: 'R4 progress is not coverage: that of one server goes on at another',
    edits: [{ file: 'replication/scan-token', from: 'if (written.g !== generation)', to: 'if (false)' }],
    expected: /copy covers/,
    history: 'a scan that goes on elsewhere',
  },
  {
    name: 'R6 parts: a relay serves who wants more than it holds',
    edits: [{ file: 'replication/feed-server', from: 'if (lacking === undefined)\n', to: 'if (true)\n' }],
    expected: /copy covers/,
    history: 'a relay of a part',
  },
  {
    name: 'R8 floor: one who has caught up does not know what its upstream had purged',
    edits: [
      {
        file: 'replication/replica',
        from: 'joinVectors(view.state.floor, sweep === undefined ? event.floor : event.vector)',
        to: 'view.state.floor',
      },
    ],
    expected: /copy covers/,
    history: 'a relay that begins after a deletion was purged',
  },
  {
    name: 'R10 echo order: a relay tells no bound of its own',
    edits: [
      {
        file: 'edge/relay',
        from: 'bound: () => part.bound()',
        to: 'bound: () => part.bound() && { ...part.bound(), boundMs: 0 }',
      },
    ],
    expected: /bound/,
    history: 'a relay that is cut off',
  },
  {
    name: 'R10 echo order: a relay tells its bound as of the sending',
    edits: [
      {
        file: 'replication/subscription',
        from: 'const { probe, bound } = pending;',
        to: 'const { probe } = pending; const bound = this.#server.options.bound();',
      },
    ],
    expected: /bound/,
    history: 'an echo that waits while its relay catches up',
  },
  {
    name: 'R11 one commit queue: what the feed brought does not enter the ring',
    edits: [
      {
        file: 'replication/replica',
        from: 'return { puts, state: { highWater, ...this.#stateAfter(event.step, view) }',
        to: 'return { puts, silent: true, state: { highWater, ...this.#stateAfter(event.step, view) }',
      },
    ],
    expected: /copy covers/,
    history: 'a write through a relay',
  },
  {
    name: 'R17 truth before service: a relay is followed before it has caught up',
    edits: [{ file: 'edge/relay', from: 'if (!part.hasCaughtUp)', to: 'if (false)' }],
    expected: /copy covers|the audit found/,
    history: 'a relay that is followed before it has caught up',
  },
  {
    name: 'R20 already covered: what was purged here is taken again',
    edits: [{ file: 'replication/accepted', from: 'return superseded ? [] : [record];', to: 'return [record];' }],
    expected: /covers/,
    history: 'a relay that lags behind its follower',
  },
  {
    name: 'R21 resync is private: a relay is followed meanwhile',
    edits: [
      {
        file: 'edge/relay',
        from: "this.#feed.suspend('its copy is taken over anew');",
        to: '',
      },
    ],
    expected: /after the quiet|the audit found/,
    history: 'a relay that resyncs under its followers',
  },
  {
    name: 'R19 purge by proof: what all covered of a life that was lost is settled still',
    edits: [{ file: 'replication/replica', from: ', settled: emptyVector }', to: ' }' }],
    expected: /the copy holds/,
    seed: 40_071_207,
    topology: 'relays',
  },
];
