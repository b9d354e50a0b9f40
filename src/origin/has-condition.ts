import type { WriteRequest } from '../model/key-value.ts';

/** True for a write that its namespace's home must decide. */
export function hasCondition({ mutations }: Pick<WriteRequest, 'mutations'>): boolean {
  return mutations.some(({ condition }) => condition !== undefined);
}
