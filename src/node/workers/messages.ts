import type { EdgeConfig } from '../../config/config.ts';
import type { DialogueMessage } from './dialogue.ts';
import type { WireFailure } from './wire-failure.ts';

/** What one process of an edge is: the keeper, or the worker of a number from 1 on. */
export type Part = { readonly role: 'keeper' } | { readonly role: 'worker'; readonly number: number };

/** What a process is started with. The configuration is the one that was read once: nothing is read anew. */
export interface PartStart {
  readonly part: Part;
  /** As this process is to have it: names, folders and its share of what is bounded. */
  readonly config: EdgeConfig;
  /** The socket on which the keeper serves the workers. */
  readonly socket: string;
  /** The edge takes no new traffic: a worker that is started again takes none either. */
  readonly isDrained: boolean;
}

export type ToProcess = DialogueMessage | ({ readonly kind: 'start' } & PartStart) | { readonly kind: 'stop' };

export type FromProcess =
  | DialogueMessage
  /** It hears what it is told: before its script is read whole, a message would be lost. */
  | { readonly kind: 'hears' }
  | ({ readonly kind: 'serving' } & Addresses)
  | { readonly kind: 'failed'; readonly failure: WireFailure };

/** Where a worker listens: nothing of the keeper, which nobody reaches from outside. */
export interface Addresses {
  readonly grpcAddress?: string;
  readonly httpAddress?: string;
  readonly redisAddress?: string;
}

/** The label of a process in metrics, status and logs. */
export function nameOf(part: Part): string {
  return part.role === 'keeper' ? 'keeper' : `worker-${part.number}`;
}
