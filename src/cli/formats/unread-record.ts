import { UsageError } from '../usage-error.ts';

/** Makes what stands for a record that cannot be read: why, and its text in the file; bytes may be no UTF-8. */
export type UnreadRecord<Unread> = (why: UsageError, text: string | Uint8Array) => Unread;

/** A record, or what stands for it. @throws UsageError where nothing is to stand for it */
export function orUnread<T, Unread>(
  read: () => T,
  text: () => string | Uint8Array,
  unread: UnreadRecord<Unread> | undefined,
): T | Unread {
  if (unread === undefined) return read();
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) return unread(error, text());
    throw error;
  }
}
