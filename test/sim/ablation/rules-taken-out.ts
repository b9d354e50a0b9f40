import { cacheRules } from './cache-rules.ts';
import { feedRules } from './feed-rules.ts';
import { originRules } from './origin-rules.ts';
import type { RuleTakenOut } from './rule-taken-out.ts';

/** Every rule that applies with one origin, each taken out in turn. */
export const rulesTakenOut: readonly RuleTakenOut[] = [...originRules, ...feedRules, ...cacheRules];
