import { limits } from '../model/limits.ts';
import type { Option, Target } from './option.ts';

const nodes = ['origin', 'edge'] as const satisfies readonly Target[];

/** How much a node's callers can make it hold (docs/operations.md). They are part of the one table (options.ts). */
export const limitOptions = {
  connectionsMax: {
    flag: 'connections-max',
    kind: 'integer',
    between: [1, 1_000_000],
    targets: nodes,
    default: '8192',
    group: 'Limits',
    help: 'Connections of each listener, idle ones too; one more closes the one that was idle for the longest, and beyond that only health and metrics are answered. Each costs memory and a file descriptor.',
  },
  connectionsPerAddressMax: {
    flag: 'connections-per-address-max',
    kind: 'integer',
    between: [0, 1_000_000],
    targets: nodes,
    default: '0',
    group: 'Limits',
    help: 'Connections of each listener from one address. 0 = as many as there may be in all: behind a proxy all clients have its address.',
  },
  answerMemoryBytes: {
    flag: 'answer-memory',
    kind: 'size',
    targets: nodes,
    default: '256MiB',
    group: 'Limits',
    help: 'Memory for values of 64 KiB or more on their way to clients; further ones wait before they are read. One connection has half of it.',
  },
  uploadMemoryBytes: {
    flag: 'upload-memory',
    kind: 'size',
    targets: nodes,
    default: '256MiB',
    group: 'Limits',
    help: 'Memory for requests of 64 KiB or more; further ones are not read on until there is room. One connection has half of it. A batch larger than a value (see --request-size-max) has its own place beside it, one at a time.',
  },
  requestBytesMax: {
    flag: 'request-size-max',
    kind: 'size',
    between: [limits.unaryMessageBytesMax, limits.batchBytesMax],
    targets: nodes,
    default: '100MB',
    group: 'Limits',
    help: 'Largest write that this node takes, with all its keys, values and metadata: a value, a batch, the body of a bulk request, a command over Redis. Larger ones are refused. Set it for all nodes that take writes.',
  },
} as const satisfies Readonly<Record<string, Option>>;
