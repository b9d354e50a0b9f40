import type { RuleTakenOut } from './rule-taken-out.ts';

/** Who an origin is, and of what cluster (rules R16, R19). */
export const identityRules: readonly RuleTakenOut[] = [
  {
    name: 'R16 identity: an origin that was rolled back goes on',
    edits: [
      {
        file: 'origin/loss',
        from: 'if (this.#found !== undefined || this.#alone())',
        to: 'if (true)',
      },
    ],
    expected: /not converged|after the quiet|covers/,
    history: 'a disk that is rolled back under a running cluster',
  },
  {
    name: 'R16 identity: a peer does not look at the life of the disk that calls',
    edits: [
      { file: 'origin/admission', from: 'if (torn === id)', to: 'if (false)' },
      { file: 'origin/admission', from: 'if (torn !== undefined)', to: 'if (false)' },
      { file: 'origin/loss', from: 'if (known.sequence > own)', to: 'if (false)' },
      { file: 'origin/loss', from: 'if (other)', to: 'if (false)' },
    ],
    expected: /not converged|after the quiet|covers/,
    history: 'a disk that is rolled back under a running cluster',
  },
  {
    name: 'R16 identity: a follower takes what a server holds of a life that was lost, where it knows that and the server does not',
    edits: [{ file: 'replication/check-told', from: 'if (!this.#follower.claims())', to: 'if (true)' }],
    expected: /the copy holds/,
    seed: 4_000_391,
    topology: 'relays',
  },
  {
    name: 'R16 identity: a follower goes on from a life that was lost, where the server has never heard of that',
    edits: [{ file: 'replication/check-told', from: 'if (parted.told <= parted.known &&', to: 'if (false &&' }],
    expected: /the copy holds/,
    seed: 5_002_945,
    topology: 'relays',
  },
  {
    name: 'R16 identity: an origin that lost its id goes on taking from others, and sweeps what only it holds',
    edits: [
      { file: 'origin/origin-parts', from: 'this.standing.checkIdentity();', to: '' },
      { file: 'origin/peer-sink', from: 'if (this.#sweptBy !== undefined)', to: 'if (false)' },
    ],
    expected: /saved it nowhere/,
    seed: 23_001_353,
    topology: 'relays',
  },
  {
    name: 'R16 identity: a second node with the same id goes on',
    edits: [
      {
        file: 'origin/loss',
        from: 'if (this.#found !== undefined || this.#alone())',
        to: 'if (true)',
      },
    ],
    expected: /not converged|after the quiet|covers/,
    history: 'a disk that is copied',
  },
  {
    name: 'R16 identity: a copied disk saves what lies beyond the final sequence alone, whatever its openings',
    edits: [{ file: 'origin/loss', from: 'if (epoch === undefined ||', to: 'if (true ||' }],
    expected: /saved it nowhere/,
    history: 'a disk that is copied',
  },
  {
    name: 'R16 identity: an empty origin founds a cluster, whoever its peers are',
    edits: [{ file: 'origin/founding', from: 'joins ? { id }', to: 'false ? { id }' }],
    expected: /nobody let in, says|broke off/,
    history: 'an origin that is told of peers which are away',
  },
  {
    name: 'R16 identity: nobody asks which cluster the other end is of',
    edits: [
      {
        file: 'replication/feed-server',
        from: 'open.clusterId !== undefined && open.clusterId !== clusterId',
        to: 'false',
      },
      { file: 'edge/node-state', from: 'if (this.#kept.clusterId !== undefined)', to: 'if (false)' },
    ],
    expected: /follows another cluster/,
    history: 'an edge between two clusters',
  },
  {
    name: 'R19 admission: an origin serves before a majority has let it follow them',
    edits: [{ file: 'origin/standing', from: '&& this.#unheard.length === 0', to: '' }],
    expected: /covers .* and holds/,
    seed: 1_031_724,
    topology: 'several',
  },
  {
    name: 'R19 admission: an origin serves as soon as it is registered',
    edits: [
      {
        file: 'origin/founding',
        from: 'return ((coversPosition(covered, record)',
        to: 'return true || ((coversPosition(covered, record)',
      },
      // Else the feeds that it waits for bring all of it.
      { file: 'origin/standing', from: '&& this.#unheard.length === 0', to: '' },
    ],
    expected: /which was let in, shows/,
    history: 'an origin that is let in and hears slowly',
  },
  {
    name: 'R16 identity: an origin takes a connection to itself for a copy of its disk',
    edits: [
      { file: 'origin/admission', from: 'if (nonce === this.#options.nonce)', to: 'if (false)' },
      { file: 'origin/peers', from: 'if (nonce === ownNonce)', to: 'if (false)' },
    ],
    expected: /not every part is live|not converged|broke off/,
    history: 'an origin that is its own peer',
  },
];
