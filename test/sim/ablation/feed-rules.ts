import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps a copy, and everybody who follows, true. */
export const feedRules: readonly RuleTakenOut[] = [
  {
    name: 'covering: a live step claims its vector without its records',
    edits: [
      {
        file: 'replication/part-shape',
        from: "kind: 'changes', records, step",
        to: "kind: 'changes', records: [], step",
      },
    ],
    expected: /covers|bound|watch/,
  },
  {
    name: 'R3 one batch: a copy stores the cursor before the changes',
    edits: [
      {
        file: 'replication/replica',
        from: 'await this.#commit([...event.records, ...unshown], this.#mustSync, (view) => {',
        to: `if (event.step !== undefined) await this.#options.ledger.submit({ keys: [], sync: true, bytes: 0,
              decide: (view) => ({ state: this.#stateAfter(event.step, view), silent: true, result: undefined }) });
            await this.#commit([...event.records, ...unshown], this.#mustSync, (view) => {`,
      },
    ],
    expected: /after a crash: copy covers/,
  },
  {
    name: 'R3 one batch: a cache stores the cursor before the changes',
    edits: [
      {
        file: 'edge/cache-part',
        from: 'await this.#fetchSuperseded(event.records);',
        to: `if (event.step !== undefined) await this.ledger.submit({ keys: [], sync: true, bytes: 0,
              decide: (view) => ({ state: { covered: new Map([...view.state.covered, ...event.step.vector]) }, silent: true, result: undefined }) });
            await this.#fetchSuperseded(event.records);`,
      },
    ],
    expected: /cache covers/,
  },
  {
    name: 'R4 progress is not coverage: a scan advances what is covered',
    edits: [
      {
        file: 'replication/replica',
        from: 'return { puts, state: { highWater, epochs }, result: undefined };',
        to: `return { puts, state: { highWater, covered: event.records.reduce((v, { position: { origin, sequence } }) =>
              joinVectors(v, new Map([[origin, sequence]])), view.state.covered) }, result: undefined };`,
      },
    ],
    expected: /covers|session/,
    seed: 16,
  },
  {
    name: 'R6 parts: a store is kept when the filter of its part changes',
    edits: [{ file: 'edge/part-store', from: 'await store.erase();', to: '{}' }],
    expected: /copy/,
    seed: 5,
  },
  {
    name: 'R7 sweep: a copy keeps what a resync did not show',
    edits: [
      {
        file: 'replication/replica',
        from: 'removals = heads.filter((head) => isForgotten(head, sweep));',
        to: '',
      },
    ],
    expected: /./,
  },
  {
    name: 'R8 floor: a delta from below the floor',
    edits: [{ file: 'replication/check-cursor', from: '< purged)', to: '< 0)' }],
    expected: /./,
    seed: 3,
  },
  {
    name: 'R10 echo order: an echo does not wait for what was committed before its probe',
    edits: [{ file: 'replication/subscription', from: 'pending.place > this.#place', to: 'false' }],
    expected: /bound/,
    history: 'an echo that overtakes the data',
  },
  {
    name: 'R10 echo order: the data stand still while the echoes come',
    edits: [
      {
        file: 'replication/follow-loop',
        from: "case 'changes':\n                return sink.apply(event);",
        to: "case 'changes':\n                if (event.step !== undefined) return;\n                return sink.apply(event);",
      },
    ],
    expected: /bound/,
  },
  {
    name: 'R17 truth before service: a copy answers before it has caught up',
    edits: [
      { file: 'edge/copy-part', from: 'if (!this.hasCaughtUp)\n            return undefined;', to: '' },
      { file: 'edge/copy-part', from: 'return this.hasCaughtUp && ', to: 'return ' },
    ],
    expected: /absent|nothing/,
    history: '"not found" during the first scan',
  },
  {
    name: 'R21 resync: one that was interrupted forgets that it must sweep',
    edits: [
      {
        file: 'replication/replica-progress',
        from: "return stored === undefined ? { kind: 'nothing' } : JSON.parse(Buffer.from(stored).toString());",
        to: "return stored === undefined ? { kind: 'nothing' } : { ...JSON.parse(Buffer.from(stored).toString()), sweep: undefined };",
      },
    ],
    expected: /./,
    history: 'a resync that is interrupted',
  },
  {
    name: 'staleness: an unknown bound is taken for zero',
    edits: [{ file: 'edge/reads', from: 'boundMs: held?.bound?.boundMs,', to: 'boundMs: held?.bound?.boundMs ?? 0,' }],
    expected: /as wished|bound/,
  },
  {
    name: 'staleness: the age of a list that was asked for upstream counts from its answer',
    edits: [{ file: 'edge/lists', from: 'aged(answer, clock.monotonicMs() - sentMs)', to: 'answer' }],
    expected: /list .*bound/,
    seed: 8,
  },
  {
    name: 'R16 identity: a cursor of another life of the disk is taken',
    edits: [
      { file: 'replication/check-cursor', from: 'known !== undefined && epoch !== known', to: 'false' },
      { file: 'replication/check-cursor', from: 'if (wasTakenOver(history, epoch, sequence))', to: 'if (false)' },
    ],
    expected: /after the quiet|covers/,
    history: 'a revision going back after a restore',
  },
  {
    name: 'R16 identity: what a rolled back origin shows loses against what it has forgotten',
    edits: [
      { file: 'replication/sweep', from: 'return isForgotten(held, sweep);', to: 'return false;' },
      { file: 'replication/lost-lives', from: 'return from === undefined ? []', to: 'return true ? []' },
    ],
    expected: /after the quiet|the audit found/,
    history: 'a revision going back after a restore',
  },
];
