import { vi } from 'vitest';
import { isRule } from './rules-taken-out.ts';
import { holds, takeOut } from './switched-rules.ts';

/** Set up before a unit test that is to fail: the rule that `WITHOUT_RULE` names does not hold. */
const rule = process.env['WITHOUT_RULE'];
if (rule === undefined || !isRule(rule)) throw new Error(`WITHOUT_RULE names no rule: ${rule}`);
takeOut(rule);
vi.doMock('../../../src/model/rules.ts', () => ({ holds }));
