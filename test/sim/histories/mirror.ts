import type { Topology } from '../nodes/topology.ts';

/** An origin that was told, among others, of itself. */
export const mirror: Topology = {
  name: 'mirror',
  origins: [{ name: 'a' }, { name: 'b', peers: ['a', 'b'] }],
  edges: [{ name: 'copy', replicate: ['*'], upstreams: ['b', 'a'] }],
};
