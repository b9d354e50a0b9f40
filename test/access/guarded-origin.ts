import { Gate } from '../../src/access/gate.ts';
import { hashOfToken } from '../../src/access/token-text.ts';
import type { CreateTokenRequest } from '../../src/model/token.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { openOrigin } from '../rpc/loopback.ts';

export const adminToken = 'the-administrator-of-the-tests';

/** A real origin behind a gate. */
export interface GuardedOrigin {
  readonly origin: Origin;
  readonly gate: Gate;
  /** A new token's text. */
  issue(scope: Partial<CreateTokenRequest>): Promise<string>;
  /** The origin as whoever brings this token may use it. @throws as the gate */
  as(token: string): Upstream;
  close(): Promise<void>;
}

export async function openGuardedOrigin(clock: Clock = systemClock): Promise<GuardedOrigin> {
  const { origin, close } = await openOrigin();
  const gate = new Gate({ upstream: origin, source: origin, clock, adminHash: () => hashOfToken(adminToken) });
  let issued = 0;
  return {
    origin,
    gate,
    issue: async (scope) => {
      const request = { name: `token ${issued++}`, namespace: '*', prefix: '', rights: ['read'], ...scope } as const;
      return (await origin.createToken(request)).text;
    },
    as: (token) => gate.enter({ authorization: `Bearer ${token}`, address: '192.0.2.1' }),
    close,
  };
}
