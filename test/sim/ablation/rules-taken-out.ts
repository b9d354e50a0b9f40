import { cacheRules } from './cache-rules.ts';
import { feedRules } from './feed-rules.ts';
import { homeRules } from './home-rules.ts';
import { identityRules } from './identity-rules.ts';
import { membershipRules } from './membership-rules.ts';
import { originRules } from './origin-rules.ts';
import { peerRules } from './peer-rules.ts';
import { relayRules } from './relay-rules.ts';
import type { RuleTakenOut } from './rule-taken-out.ts';
import { sessionRules } from './session-rules.ts';
import { standstillRules } from './standstill-rules.ts';

/** By what they are about. */
export const ruleGroups: ReadonlyArray<readonly RuleTakenOut[]> = [
  originRules,
  feedRules,
  cacheRules,
  peerRules,
  relayRules,
  sessionRules,
  homeRules,
  membershipRules,
  identityRules,
  standstillRules,
];

/** Every rule of the architecture, each taken out in turn. */
export const rulesTakenOut: readonly RuleTakenOut[] = ruleGroups.flat();
