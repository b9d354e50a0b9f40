import type { RuleTakenOut } from './rule-taken-out.ts';

/** What keeps origins that take over, are removed or join anew from waiting for each other for ever. */
export const standstillRules: readonly RuleTakenOut[] = [
  {
    name: 'R21 resync is private: a sweep whose peer stays away is taken over by nobody',
    edits: [{ file: 'origin/peer-sink', from: 'mark.abandonedMs <= silenceMsMax', to: 'true' }],
    expected: /goes on waiting/,
    history: 'an origin whose sweep is left',
  },
  {
    name: 'R21 resync is private: a sweep that nobody is left for goes on',
    edits: [{ file: 'origin/origin-parts', from: 'if (this.#isLeftToItself)', to: 'if (false)' }],
    expected: /not converged/,
    seed: 2_010_095,
    topology: 'relays',
  },
  {
    name: 'R21 resync is private: origins that all sweep wait for each other',
    edits: [{ file: 'origin/origin-parts', from: 'waiting.every((id) => self < id)', to: 'false' }],
    expected: /not converged/,
    seed: 5_000_584,
    topology: 'several',
  },
  {
    name: 'R22 retirement: an origin that was never met is not asked',
    edits: [{ file: 'origin/peers', from: 'link?.answers === true', to: 'false' }],
    expected: /not converged/,
    seed: 2_006_183,
    topology: 'several',
  },
];
