import type { Expiry, PutMutation } from '../../model/key-value.ts';

/** A put without condition, as every Workers KV surface writes one; what is undefined is left out. */
export function putMutation(
  key: string,
  value: Uint8Array,
  { metadata, expiry }: { readonly metadata: string | undefined; readonly expiry: Expiry | undefined },
): PutMutation {
  return {
    kind: 'put',
    key,
    value,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiry === undefined ? {} : { expiry }),
  };
}
