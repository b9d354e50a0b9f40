import type { Trace } from './trace.ts';

/** What accompanies every call: when it must be over, and how it is given up. */
export interface Call {
  /** By the monotonic clock of this process, in milliseconds. No wait outlasts it. */
  readonly deadlineMs: number;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
  /** Set if an origin passes a call on to the one that decides it: that one does not pass it on again. */
  readonly forwarded?: true;
  /** Edges that have passed this call up. Two edges that name each other as upstreams would pass it on for ever. */
  readonly hops?: number;
  /** The token of the caller for whom a node asks another node, which decides by it and not by the node's own. */
  readonly credential?: string;
  /** Only this node knows the caller, by a certificate: no other node is asked in the caller's name. */
  readonly isProvenHere?: true;
  /** The id under which each node that it reached logs what became of it. */
  readonly requestId?: string | undefined;
  /** Its present step, if it is traced. */
  readonly trace?: Trace | undefined;
}
