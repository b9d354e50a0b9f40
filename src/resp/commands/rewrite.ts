import type { Call } from '../../model/call.ts';
import { isMeridianError } from '../../model/errors.ts';
import type { Mutation, PutMutation } from '../../model/key-value.ts';
import type { LiveRecord } from '../../model/record.ts';
import { sleep } from '../../runtime/clock.ts';
import type { Client } from '../client.ts';
import { HeldValue, type Reply, RespError } from '../protocol/reply.ts';
import { liveOf } from './reads.ts';

/** Times that a key is read and written before the command gives up. */
const attemptsMax = 8;
/** Milliseconds before the second attempt; twice as many before each one after it. */
const firstDelayMs = 5;

/** What becomes of what was found: a mutation without a condition, or none, and the reply once it is done. */
export interface Rewriting {
  readonly mutation?: PutMutation | { readonly kind: 'delete'; readonly key: string };
  readonly reply: Reply;
}

/**
 * Changes a key depending on what it holds. It is read at an origin, and written on the condition that it is still what was
 * read; where another was quicker, all of this begins anew.
 * @throws RespError TRYAGAIN where others were quicker each time
 */
export function rewrite(
  client: Client,
  key: string,
  decide: (found: LiveRecord | undefined) => Rewriting,
): Promise<Reply> {
  return client.within(async (call) => {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (attempt > 0) await sleep(client.parts.clock, firstDelayMs * 2 ** (attempt - 1), call.signal);
      const { answer, release } = await client.read(key, { atOrigin: true }, call);
      try {
        const found = liveOf(answer);
        const { mutation, reply } = decide(found);
        if (mutation !== undefined) await writeOrEnd(client, unchanged(mutation, found), call);
        return new HeldValue(reply, release);
      } catch (error) {
        release();
        if (!isConditionNotMet(error)) throw error;
      }
    }
    throw new RespError(`TRYAGAIN the key was changed by others ${attemptsMax} times meanwhile`, 'changed-meanwhile');
  });
}

/** Writes on the condition that there is no such key. False where there is one. */
export function writeIfAbsent(client: Client, put: PutMutation): Promise<boolean> {
  return client.within(async (call) => {
    try {
      await writeOrEnd(client, { ...put, condition: { kind: 'absent' } }, call);
      return true;
    } catch (error) {
      if (isConditionNotMet(error)) return false;
      throw error;
    }
  });
}

/**
 * Writes. A key whose time is over by the origin's clock, and was not when this node looked at its own, has ended at once:
 * it is deleted.
 */
export async function writeOrEnd(client: Client, mutation: Mutation, call: Call): Promise<void> {
  try {
    await client.write([mutation], call);
  } catch (error) {
    const isPast = isMeridianError(error, 'INVALID_ARGUMENT') && error.details.reason === 'expiry-past';
    if (mutation.kind !== 'put' || !isPast) throw error;
    const { key, condition } = mutation;
    await client.write([{ kind: 'delete', key, ...(condition === undefined ? {} : { condition }) }], call);
  }
}

/** The record as it is, but for its expiry. */
export function withExpiry(record: LiveRecord, expiry: PutMutation['expiry']): PutMutation {
  const { key, value, metadata } = record;
  return {
    kind: 'put',
    key,
    value,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiry === undefined ? {} : { expiry }),
  };
}

function unchanged(mutation: NonNullable<Rewriting['mutation']>, found: LiveRecord | undefined): Mutation {
  const condition =
    found === undefined ? ({ kind: 'absent' } as const) : ({ kind: 'version', version: found.stamp } as const);
  return { ...mutation, condition };
}

function isConditionNotMet(error: unknown): boolean {
  return isMeridianError(error, 'FAILED_PRECONDITION') && error.details.reason === 'condition-not-met';
}
