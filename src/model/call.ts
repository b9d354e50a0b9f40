import type { Trace } from './trace.ts';

/** What accompanies every call: when it must be over, and how it is given up. */
export interface Call {
  /** By the monotonic clock of this process, in milliseconds. No wait outlasts it. */
  readonly deadlineMs: number;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
  /** Set where an origin passes a call on to another that decides it: nobody passes it on again. */
  readonly forwarded?: true;
  /** Edges that have passed this call up. Two edges that name each other as upstreams would pass it on for ever. */
  readonly hops?: number;
  /** The token of the caller for whom a node asks another one, which then decides by it and not by the node's own. */
  readonly credential?: string;
  /** Its caller is known to this node alone, by his certificate: no other node is asked in his name. */
  readonly isProvenHere?: true;
  /** By which logs tell what became of it at each node that it reached. */
  readonly requestId?: string | undefined;
  /** The step that it is in, where it is traced. */
  readonly trace?: Trace | undefined;
}
