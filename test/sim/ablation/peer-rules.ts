import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps several origins true to each other. */
export const peerRules: readonly RuleTakenOut[] = [
  {
    name: 'R5 claim what you cover: what came by a scan is passed on as covered',
    edits: [
      {
        file: 'replication/ledger',
        from: 'step: { vector: covered, floor, settled,',
        to: `step: { vector: [...group.shown.values()].reduce((v, { position: { origin, sequence } }) =>
              (v.get(origin) ?? 0) < sequence ? new Map(v).set(origin, sequence) : v, covered), floor, settled,`,
      },
    ],
    expected: /covers/,
    history: 'an origin that passes on what it scans',
  },
  {
    name: 'R5 claim what you cover: a follower is given no more than what is covered',
    edits: [
      {
        file: 'replication/scan',
        from: 'const change = await changeOf(stored, scanning);\n            last =',
        to: 'if (stored.position.sequence > (state.covered.get(origin) ?? 0)) break;\n            const change = await changeOf(stored, scanning);\n            last =',
      },
    ],
    expected: /covers/,
    history: 'an origin that is followed while it scans',
  },
  {
    name: 'R5 claim what you cover: an advance without changes is no live step',
    edits: [
      {
        file: 'replication/ledger',
        from: 'group.shown.size > 0 || before.covered !== group.state.covered',
        to: 'group.shown.size > 0',
      },
    ],
    expected: /covers less/,
    history: 'an origin that passes on what it scans',
  },
  {
    name: 'R11 one commit queue: what a peer sends is merged with what was held before its turn',
    edits: [
      {
        file: 'replication/replica',
        from: 'await this.#commit([...event.records, ...unshown], this.#mustSync, (view) => {',
        to: `const early = await this.#options.ledger.store.heads(event.records);
            await this.#commit([...event.records, ...unshown], this.#mustSync, (late) => {
              const view = { state: late.state, head: (key) => {
                const index = event.records.findIndex((record) => record.key === key.key && record.namespace === key.namespace);
                return index < 0 ? late.head(key) : early[index];
              } };`,
      },
    ],
    expected: /covers|bound|session|lost/,
    topology: 'several',
  },
  {
    name: 'R11 one commit queue: what a peer sends takes the place of what is held',
    edits: [{ file: 'replication/accepted', from: 'if (!replaces(record, held)) {', to: 'if (false) {' }],
    expected: /covers|bound|session|lost/,
    topology: 'several',
  },
  {
    name: 'R15 clock: what a peer wrote is not seen',
    edits: [
      {
        file: 'replication/replica',
        from: 'puts.reduce((high, put) => laterStamp(high, put.stamp), view.state.highWater)',
        to: 'view.state.highWater',
      },
    ],
    expected: /which had .* before/,
    topology: 'several',
  },
  {
    name: 'R15 clock: who runs far ahead is followed',
    edits: [
      { file: 'origin/peers', from: 'if (wallMs - clock.wallMs() > clockSkewMsMax)', to: 'if (false)' },
      { file: 'origin/peer-sink', from: 'if (skewMs > clockSkewMsMax)', to: 'if (false)' },
      {
        file: 'origin/peer-sink',
        from: 'if (record.stamp <= ledger.state.highWater || aheadMs <= 2 * clockSkewMsMax)',
        to: 'if (true)',
      },
    ],
    expected: /not what was written last/,
    history: 'a clock that is far ahead',
  },
  {
    name: 'R19 purge by proof: the retention alone decides',
    edits: [
      {
        file: 'replication/sweeper',
        from: 'const settled = due.filter((head) => coversPosition(view.state.settled, head.position));',
        to: 'const settled = due;',
      },
    ],
    expected: /after the quiet|the audit found/,
    history: 'a deletion that an origin away has yet to hear of',
  },
  {
    name: 'R19 purge by proof: an origin that was not heard of is passed over',
    edits: [{ file: 'origin/settlement', from: '?? emptyVector', to: '?? met' }],
    expected: /after the quiet|the audit found/,
    history: 'a deletion that an origin away has yet to hear of, after a restart',
  },
  {
    name: 'R19 purge by proof: what an origin acknowledges elsewhere counts as heard in its own feed',
    edits: [
      {
        file: 'origin/origin-parts',
        from: 'this.durability.acknowledged(node.id, durable);',
        to: 'this.durability.acknowledged(node.id, durable); settlement.heard(node.id, said);',
      },
    ],
    expected: /after the quiet|covers|bound/,
    history: 'a deletion that is acknowledged before what it deletes',
  },
  {
    name: 'durability: a majority is said where none is',
    edits: [
      {
        file: 'origin/durability',
        from: '(this.#durable.get(id)?.get(self) ?? 0) >= sequence',
        to: 'this.#durable.has(id)',
      },
    ],
    expected: /majority is said/,
    history: 'a majority that is not reached',
  },
  {
    name: 'durability: all are said where a majority is',
    edits: [
      {
        file: 'origin/durability',
        from: "(level === 'all' ? members.length : majorityOf(members.length))",
        to: 'majorityOf(members.length)',
      },
    ],
    expected: /all is said/,
    history: 'a majority that is not reached',
  },
  {
    name: 'durability: a peer acknowledges what it has not synced',
    edits: [
      {
        file: 'replication/replica',
        from: 'return peering !== undefined && ledger.state.covered.size > 0;',
        to: 'return false;',
      },
    ],
    expected: /is said/,
    topology: 'several',
  },
  {
    name: 'R19 purge by proof: a copy takes for settled what its upstream covers',
    edits: [
      {
        file: 'replication/ledger-state',
        from: 'settled: joinVectors(settled, step.settled)',
        to: 'settled: joinVectors(settled, step.vector)',
      },
    ],
    expected: /covers/,
    history: 'a copy that goes on at an origin that was away',
  },
  {
    name: 'R19 purge by proof: the floor gives leave to purge',
    edits: [
      {
        file: 'replication/sweeper',
        from: 'coversPosition(view.state.settled, head.position)',
        to: '(coversPosition(view.state.settled, head.position) || coversPosition(view.state.floor, head.position))',
      },
    ],
    expected: /after the quiet|the audit found/,
    history: 'a deletion below the floor of an origin that resynced',
  },
  {
    name: 'R7 sweep: what the server had yet to hear of goes too',
    edits: [
      {
        file: 'replication/sweep',
        from: 'return beyond || origin === server || coversPosition(vector, position);',
        to: 'return true;',
      },
    ],
    expected: /after the quiet|covers/,
    history: 'an origin that resyncs',
  },
];
