import type { RuleTakenOut } from './rule-taken-out.ts';

/** What holds while origins are removed for good (rules R22, R23). */
export const membershipRules: readonly RuleTakenOut[] = [
  {
    name: 'R22 retirement: the report of one survivor is enough',
    edits: [
      {
        file: 'origin/retirements',
        from: 'const needed = members - majorityOf(members) + 1;',
        to: 'const needed = 1;',
      },
    ],
    expected: /was decided without/,
    history: 'a removal that one survivor reports for',
  },
  {
    name: 'R22 retirement: who has reported goes on taking',
    edits: [
      {
        file: 'origin/retirements',
        from: 'if (open === undefined || open.untilMs <=',
        to: 'if (true || open.untilMs <=',
      },
    ],
    expected: /was decided without/,
    history: 'a home that decides while it is removed',
  },
  {
    name: 'R22 retirement: a survivor reports to two at once',
    edits: [
      {
        file: 'origin/retirements',
        from: 'const taken = open !== undefined && open.untilMs > clock.wallMs() && open.initiator !== initiator;',
        to: 'const taken = false;',
      },
    ],
    expected: /was decided without/,
    history: 'two removals of one origin',
  },
  {
    name: 'R23 beyond the final sequence: nothing is adopted',
    edits: [{ file: 'origin/adoption', from: 'page.length > 0;', to: 'false;' }],
    expected: /not converged|after the quiet|shows/,
    history: 'what a survivor that was away has of a removed origin',
  },
  {
    name: 'R23 beyond the final sequence: an origin goes on claiming it',
    edits: [{ file: 'origin/adoption', from: 'await this.#lower();', to: '' }],
    expected: /not converged/,
    history: 'what a survivor that was away has of a removed origin',
  },
  {
    name: 'R23 beyond the final sequence: sessions are met without the ends of adoption',
    edits: [{ file: 'replication/membership', from: 'if (required === session)', to: 'if (true)' }],
    expected: /session|answers/,
    history: 'what a survivor that was away has of a removed origin',
  },
  {
    name: 'R23 beyond the final sequence: a cursor is taken, and nobody begins anew',
    edits: [
      { file: 'edge/joining-sink', from: 'if (within && !(hasCaughtUp', to: 'if (true || !(hasCaughtUp' },
      { file: 'replication/holds-beyond-final', from: 'of registry.membership.finals', to: 'of []' },
      {
        file: 'replication/check-cursor',
        from: 'if (!isPeer && membership.isBeyondFinal({ origin, sequence }))',
        to: 'if (false)',
      },
    ],
    expected: /after the quiet|not converged/,
    history: 'a copy of what nobody else has',
  },
  {
    name: 'R23 beyond the final sequence: what a load brought is kept',
    edits: [{ file: 'replication/holds-beyond-final', from: 'of registry.membership.finals', to: 'of []' }],
    expected: /after the quiet|the audit found/,
    history: 'a cache of what nobody else has',
  },
  {
    name: 'R23 beyond the final sequence: a removed origin saves nothing',
    edits: [
      {
        file: 'origin/loss',
        from: 'await save({ id: identity.id, loss, why }, ownRecords(ledger, identity, final));',
        to: '',
      },
    ],
    expected: /saved it nowhere/,
    history: 'a removed origin that comes back',
  },
  {
    name: 'R23 beyond the final sequence: what nobody can bring any more is waited for',
    edits: [{ file: 'origin/retirements', from: ', ...restated(membership.retirements(), held)', to: '' }],
    expected: /after the quiet|not converged/,
    history: 'a removal of who was to bring what another left',
  },
];
