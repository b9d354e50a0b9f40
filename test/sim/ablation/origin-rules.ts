import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps an origin's own store true. */
export const originRules: readonly RuleTakenOut[] = [
  {
    name: 'R1 synced first: commits are published before they are synced',
    edits: [
      {
        file: 'replication/ledger',
        from: 'const sync = group.accepted.some(({ waiting }) => waiting.proposal.sync);',
        to: 'const sync = false;',
      },
    ],
    expected: /which no disk has/,
  },
  {
    name: 'R1 synced first: a refusal tells of what is not synced yet',
    edits: [
      { file: 'replication/ledger', from: 'group.refused.push({ waiting, error });', to: 'waiting.reject(error);' },
    ],
    expected: /refused against/,
    seed: 241,
  },
  {
    name: 'R2 failed sync: the state is not read again',
    edits: [
      {
        file: 'replication/ledger',
        from: 'this.#state = decodeLedgerState(await this.store.meta(ledgerStateName));',
        to: '',
      },
    ],
    expected: /./,
    seed: 12,
  },
  {
    name: 'R2 failed sync: a stream goes on over a store that was opened again',
    edits: [{ file: 'replication/store-life', from: 'this.#ledger.reopenings === this.#reopenings', to: 'true' }],
    expected: /covers|bound|session/,
    history: 'a store that fails beside the feed',
  },
  {
    name: 'R9 expiry in place: what has expired is deleted outright',
    edits: [
      {
        file: 'replication/sweeper',
        from: 'return { puts: live.map((head) => expireInPlace(head)), silent: true, result: live.length };',
        to: 'return { removals: live, silent: true, result: live.length };',
      },
    ],
    expected: /after the quiet|covers|bound/,
    history: 'expired while the copy was away',
  },
  {
    name: 'R9 expiry in place: reads are answered past the expiry',
    edits: [{ file: 'model/record', from: 'nowMs < record.expiresAt * 1000', to: 'true' }],
    expected: /bound/,
    seed: 2,
  },
  {
    name: 'R15 clock: a stamp is the wall time, also where the clock stepped back',
    edits: [{ file: 'origin/stamp-clock', from: 'if (wallMs > highMs)', to: 'if (wallMs !== highMs)' }],
    expected: /./,
    history: 'a clock that steps back',
  },
  {
    name: 'R18 dead namespaces: the namespace goes, its data stay',
    edits: [{ file: 'replication/namespace-remover', from: 'burial === undefined || this.hasRemoved(id)', to: 'true' }],
    expected: /still holds/,
    seed: 3,
  },
  {
    name: 'R18 dead namespaces: what comes late for one is taken in',
    edits: [
      {
        file: 'replication/accepted',
        from: 'if (record.namespace !== registryNamespace && registry.isDead(record.namespace))',
        to: 'if (false)',
      },
    ],
    expected: /still holds/,
    history: 'data that come late for a dead namespace',
  },
  {
    name: 'R18 dead namespaces: one that a sweep took lives on in memory',
    edits: [
      {
        file: 'replication/registry',
        from: "if (record?.kind === 'live')",
        to: 'if (false)',
      },
    ],
    expected: /namespace/,
    history: 'a namespace that was replaced during an absence',
  },
  {
    name: 'R19 purge by proof: a purge does not raise the floor',
    edits: [{ file: 'replication/sweeper', from: 'removals, state: { floor }, silent', to: 'removals, silent' }],
    expected: /after the quiet|covers|bound|watch/,
    seed: 3,
  },
  {
    name: 'conditions: none is looked at',
    edits: [{ file: 'origin/writer', from: 'if (condition === undefined)', to: 'if (true)' }],
    expected: /condition of \d+ did not hold/,
    seed: 2,
  },
  {
    name: 'R18 dead namespaces: an end that was purged here is not taken again',
    edits: [{ file: 'replication/accepted', from: '!isEnd && ', to: '' }],
    expected: /still holds/,
    seed: 2_021_204,
    topology: 'relays',
  },
];
