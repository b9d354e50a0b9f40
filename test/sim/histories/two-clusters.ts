import type { Topology } from '../nodes/topology.ts';

/** Two clusters of one origin each, and edges whose list of upstreams was written by mistake. */
export const twoClusters: Topology = {
  name: 'two clusters',
  origins: [{ name: 'mine' }, { name: 'theirs' }],
  edges: [
    { name: 'copy', replicate: ['*'], upstreams: ['mine', 'theirs'] },
    { name: 'cache', replicate: [], upstreams: ['mine', 'theirs'] },
  ],
};
