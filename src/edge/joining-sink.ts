import { MeridianError } from '../model/errors.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import { holdsBeyondFinal } from '../replication/holds-beyond-final.ts';
import type { Part } from './part.ts';

type Followed = Pick<Part, 'ledger' | 'hasCaughtUp'>;

interface Hearing {
  readonly joined: (clusterId: string) => Promise<void>;
  /** The registry changed, or the part has caught up: names may mean something else. */
  readonly heard: () => void;
}

/**
 * A part as a sink that learns what its upstream says of the cluster: from the handshake which one it is, and from the
 * registry that an origin was removed. A part that covers or holds more of that origin than is left of it begins anew (rule R23);
 * its next stream is told so, whoever the upstream is.
 */
export function joiningSink(sink: FeedSink, part: Followed, { joined, heard }: Hearing): FeedSink {
  return {
    start: () => sink.start(),
    opened: async (event) => {
      await joined(event.clusterId);
      await sink.opened(event);
    },
    apply: async (event) => {
      await sink.apply(event);
      const registryChanged =
        event.kind === 'changes' && event.records.some(({ namespace }) => namespace === registryNamespace);
      if (!registryChanged && event.kind !== 'caught-up') return;
      heard();
      await checkWithinFinal(part);
    },
    durable: () => sink.durable(),
    checkStore: () => sink.checkStore?.(),
  };
}

/**
 * A scan that is under way sweeps what is held beyond, and is looked at once it has ended.
 * @throws UNAVAILABLE where what is covered, or held, goes beyond the final sequence of a removed origin
 */
async function checkWithinFinal({ ledger, hasCaughtUp }: Followed): Promise<void> {
  const { covered } = ledger.state;
  const within = ledger.registry.membership.withinFinal(covered) === covered;
  if (within && !(hasCaughtUp && (await holdsBeyondFinal(ledger)))) return;
  throw new MeridianError('UNAVAILABLE', 'an origin was removed; what is held of it is taken over anew', {
    reason: 'begins-anew',
  });
}
