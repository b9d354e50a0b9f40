import { operatorTargets } from './operators.ts';
import { outsideTargets } from './outside.ts';
import { storedTargets } from './stored.ts';
import type { FuzzTarget } from './target.ts';
import { wireTargets } from './wire.ts';

/** Every decoder of bytes that somebody else wrote. */
export const targets: readonly FuzzTarget[] = [...storedTargets, ...wireTargets, ...outsideTargets, ...operatorTargets];
