import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps origins that take over, are removed or join anew from waiting for each other for ever. */
export const standstillRules: readonly RuleTakenOut[] = [
  {
    name: 'R21 resync is private: a sweep whose peer stays away is taken over by nobody',
    edits: [{ file: 'origin/peer-sink', from: 'mark.abandonedMs <= silenceMsMax', to: 'true' }],
    expected: /goes on waiting/,
    history: 'an origin whose sweep is left',
  },
];
