import { RespError } from '../protocol/reply.ts';

export const noTransactions = 'no-transactions';

/** Commands that end one, and that are looked up as any others. */
const ends = ['discard', 'reset', 'quit'];

/**
 * There are no transactions here, and MULTI is an unknown command. A client that sends one in one piece does not wait for
 * that reply. So nothing that follows is carried out until its EXEC or DISCARD, as Redis discards what has an error in it.
 *
 *     MULTI · SET k v · EXEC     unknown command · not carried out · EXECABORT
 */
export class RefusedTransaction {
  /** Set once MULTI was refused. */
  isOpen = false;

  /** The reply to a command that comes while it is open; undefined if it is looked up as any other. */
  refuse(name: string): RespError | undefined {
    this.isOpen = name !== 'exec' && !ends.includes(name);
    if (name === 'multi' || ends.includes(name)) return undefined;
    const why =
      name === 'exec'
        ? 'EXECABORT Transaction discarded because of previous errors.'
        : 'ERR not carried out: there are no transactions here, and MULTI came before';
    return new RespError(why, noTransactions);
  }
}
