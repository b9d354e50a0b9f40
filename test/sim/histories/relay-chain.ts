import type { Topology } from '../nodes/topology.ts';

/** A relay below a relay, copies below either that know another way up, and a relay of a part. */
export const relayChain: Topology = {
  name: 'chain',
  origins: [{ name: 'origin' }],
  edges: [
    { name: 'near', replicate: ['*'], upstreams: ['origin'] },
    { name: 'far', replicate: ['*'], upstreams: ['near'] },
    { name: 'end', replicate: ['*'], upstreams: ['origin', 'near'] },
    { name: 'cache', replicate: [], upstreams: ['far', 'near'] },
    { name: 'part', replicate: ['ns/a*'], upstreams: ['near'] },
    { name: 'whole', replicate: ['*'], upstreams: ['part', 'far'] },
  ],
};
