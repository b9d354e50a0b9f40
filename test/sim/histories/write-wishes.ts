import type { Condition, WriteRequest } from '../../../src/model/key-value.ts';

/** What a history asks of a write, where it asks for something. */
export type WriteWishes = Partial<Pick<WriteRequest, 'session' | 'durability' | 'durabilityTimeoutMs'>> & {
  readonly condition?: Condition;
};

export interface PutWishes extends WriteWishes {
  readonly bytes?: number;
  readonly expiresInSeconds?: number;
}
