import type { RuleTakenOut } from './rule-taken-out.ts';

/** What a session is promised, wherever it goes (rule R14). */
export const sessionRules: readonly RuleTakenOut[] = [
  {
    name: 'R14 sessions: an origin does not wait for what a session saw',
    edits: [{ file: 'origin/origin-reads', from: 'if (covered())\n', to: 'if (true)\n' }],
    expected: /session/,
    history: 'a session that reads where its write has not come',
  },
  {
    name: 'R14 sessions: an origin does not raise its clock above the stamp of a session',
    edits: [
      {
        file: 'origin/writer',
        from: 'laterStamp(view.state.highWater, session)',
        to: 'view.state.highWater',
      },
    ],
    expected: /in a session that saw/,
    history: 'a session that writes where the clock is behind',
  },
  {
    name: 'R14 sessions: any stamp of a session is taken',
    edits: [{ file: 'origin/stamp-clock', from: 'if (stamp <= highWater)', to: 'if (true)' }],
    expected: /from the future/,
    history: 'a session from the future',
  },
  {
    name: 'R14 sessions: a condition is decided before the home covers its session',
    edits: [{ file: 'origin/origin', from: 'await reads.covering(request.session.vector, call);', to: '' }],
    expected: /was decided without/,
    history: 'a condition of a session that is ahead of the home',
  },
  {
    name: 'R14 sessions: an absence brings nothing into the session',
    edits: [
      {
        file: 'model/session',
        from: 'const vector = joinVectors(session.vector, covered);',
        to: 'const vector = session.vector;',
      },
    ],
    expected: /who saw/,
    history: 'an absence that is asked for again where the key still is',
  },
  {
    name: 'R14 sessions: a list brings nothing into the session',
    edits: [{ file: 'client/session-keeper', from: 'sawList(answer) {', to: 'sawList(answer) { return;' }],
    expected: /user who saw/,
    seed: 25,
  },
  {
    name: 'R14 sessions: a page that shows more than its responder covers brings that alone',
    edits: [
      {
        file: 'client/session-keeper',
        from: 'sessionAfterPage(this.#session, answer.covered, answer.seen)',
        to: 'sessionAfterAbsence(this.#session, answer.covered)',
      },
    ],
    expected: /user who saw/,
    seed: 2_001_699,
    topology: 'relays',
  },
  {
    name: 'R14 sessions: what was shown brings nothing into the session',
    edits: [
      {
        file: 'client/session-keeper',
        from: 'sawRecord(position, stamp) {',
        to: 'sawRecord(position, stamp) { return;',
      },
    ],
    expected: /user who saw/,
  },
  {
    name: 'R14 sessions: any record that is held stands in for what is not covered',
    edits: [{ file: 'edge/reads', from: 'position.sequence >= (session.get(position.origin) ?? 0)', to: 'true' }],
    expected: /session|user who saw/,
    topology: 'several',
  },
  {
    name: 'R14 sessions: a write is decided behind the deletion of its namespace',
    edits: [{ file: 'origin/writer', from: 'if (isGone)', to: 'if (false)' }],
    expected: /session that saw the deletion/,
    seed: 1_005_468,
    topology: 'relays',
  },
  {
    name: 'watches: a cursor is given behind what is shown and not covered',
    edits: [{ file: 'rpc/server/watch-cursor', from: 'this.#given && !covers(step.vector, this.#shown)', to: 'false' }],
    expected: /goes back/,
    seed: 40_088_443,
    topology: 'several',
  },
];
