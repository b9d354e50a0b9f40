import type { RuleTakenOut } from './rule-taken-out.ts';

/** Where conditions and titles are decided. */
export const homeRules: readonly RuleTakenOut[] = [
  {
    name: 'homes: the old one decides behind the record that moves it',
    edits: [
      {
        file: 'origin/homes',
        from: 'if (here && ledger.registry.mayDecide(namespace.id, ledger.state.covered))',
        to: 'if (true)',
      },
    ],
    expected: /was decided without/,
    history: 'a condition behind the move of its home',
  },
  {
    name: 'homes: the new one decides before it covers the record that made it that',
    edits: [
      {
        file: 'replication/membership',
        from: 'if (moved !== undefined && !coversPosition(covered, moved.position))',
        to: 'if (false)',
      },
    ],
    expected: /was decided without/,
    history: 'a home that has yet to hear of what was decided',
  },
  {
    name: 'homes: an heir decides before it covers what its forerunner left',
    edits: [{ file: 'replication/membership', from: '(covered.get(home) ?? 0) < left.final ||', to: '' }],
    expected: /was decided without/,
    history: 'an heir that has yet to hear of what was decided',
  },
  {
    name: 'homes: an heir decides before it covers what others adopt of a life that was lost',
    edits: [{ file: 'replication/membership', from: '|| !this.#hasTakenOver(left, covered)', to: '' }],
    expected: /was decided without/,
    history: 'a home that is rolled back',
  },
  {
    name: 'homes: nobody inherits',
    edits: [
      {
        file: 'replication/membership',
        from: 'return heir === undefined || heir === home ? home',
        to: 'return true ? home',
      },
    ],
    expected: /after the quiet|the audit found/,
    history: 'an heir that has yet to hear of what was decided',
  },
  {
    name: 'titles: each origin decides on its own',
    edits: [
      {
        file: 'origin/homes',
        from: "return this.#decided('the registry of namespaces', home, call, here, there);",
        to: 'return here();',
      },
      {
        file: 'origin/homes',
        from: 'if (home === self && membership.mayDecide(registryNamespace, self, ledger.state.covered))',
        to: 'if (true)',
      },
    ],
    expected: /two namespaces with the title/,
    history: 'a title that is claimed twice',
  },
];
