/** Which nodes there are and who follows whom, by name. Upstreams stand in the order of preference. */
export interface Topology {
  readonly name: string;
  readonly origins: readonly OriginPlan[];
  readonly edges: readonly EdgePlan[];
  /** Records of its disks get damaged; none of these is lost, put back or copied. */
  readonly damagesRecords?: boolean;
}

export interface OriginPlan {
  readonly name: string;
  /** Whom it is told of at its first start; without any it founds the cluster. */
  readonly peers?: readonly string[];
  /** The processes that run over its database; without any it is one process over its disk. */
  readonly hosts?: readonly string[];
}

export interface EdgePlan {
  readonly name: string;
  /** As `--replicate` has it; the rest is cached. */
  readonly replicate: readonly string[];
  readonly upstreams: readonly string[];
}

/** One origin, a copy of everything, a copy of a prefix that caches the rest, and two caches, one of which asks the copy where it must. */
export const oneOrigin: Topology = {
  name: 'one',
  origins: [{ name: 'origin' }],
  edges: [
    { name: 'copy', replicate: ['*'], upstreams: ['origin'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['origin'] },
    { name: 'cache', replicate: [], upstreams: ['origin'] },
    { name: 'far', replicate: [], upstreams: ['origin', 'copy'] },
  ],
};

/** Three origins, the last of which is told of by nobody, and edges that have several of them to follow. */
export const severalOrigins: Topology = {
  name: 'several',
  origins: [{ name: 'a' }, { name: 'b', peers: ['a'] }, { name: 'c', peers: ['b'] }],
  edges: [
    { name: 'copy', replicate: ['*'], upstreams: ['a', 'b', 'c'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['b', 'c'] },
    { name: 'cache', replicate: [], upstreams: ['c', 'a', 'b'] },
  ],
};

/** Edges behind edges: a chain of relays, a copy and caches at its end, each with another way to go. */
export const relayChain: Topology = {
  name: 'relays',
  origins: [{ name: 'a' }, { name: 'b', peers: ['a'] }],
  edges: [
    { name: 'near', replicate: ['*'], upstreams: ['a', 'b'] },
    { name: 'middle', replicate: ['*'], upstreams: ['near', 'b'] },
    { name: 'copy', replicate: ['*'], upstreams: ['middle', 'near'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['middle', 'a'] },
    { name: 'cache', replicate: [], upstreams: ['near', 'b'] },
    // Asks who may refuse it: what it wants of `mixed` beyond its prefix is not held there.
    { name: 'far', replicate: ['ns/a*'], upstreams: ['mixed', 'middle'] },
  ],
};

/** Origins and edges whose records get damaged: what an origin cannot read another one can, at that moment. */
export const damagedRecords: Topology = {
  name: 'damaged',
  origins: severalOrigins.origins,
  edges: [
    { name: 'near', replicate: ['*'], upstreams: ['a', 'b', 'c'] },
    { name: 'copy', replicate: ['*'], upstreams: ['near', 'b'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['b', 'near'] },
    { name: 'cache', replicate: [], upstreams: ['c', 'near'] },
  ],
  damagesRecords: true,
};

/** One origin whose records get damaged, which nobody else can tell, over copies and caches that then say that they do not know. */
export const damagedAlone: Topology = {
  name: 'lone',
  origins: [{ name: 'origin' }],
  edges: [
    { name: 'near', replicate: ['*'], upstreams: ['origin'] },
    { name: 'copy', replicate: ['*'], upstreams: ['near', 'origin'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['near', 'origin'] },
    { name: 'cache', replicate: [], upstreams: ['origin', 'copy'] },
  ],
  damagesRecords: true,
};

/** One origin over a database, with two processes of which one stands by, and edges that are told of both. */
export const engineOrigin: Topology = {
  name: 'engine',
  origins: [{ name: 'origin', hosts: ['first', 'second'] }],
  edges: [
    { name: 'copy', replicate: ['*'], upstreams: ['first', 'second'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['second', 'first'] },
    { name: 'cache', replicate: [], upstreams: ['first', 'second'] },
    { name: 'far', replicate: [], upstreams: ['second', 'first', 'copy'] },
  ],
};

/** Every seed is run in each of them. */
export const topologies: readonly Topology[] = [
  oneOrigin,
  severalOrigins,
  relayChain,
  damagedRecords,
  damagedAlone,
  engineOrigin,
];
