/** Which nodes there are and who follows whom, by name. Upstreams stand in the order of preference. */
export interface Topology {
  readonly origins: readonly OriginPlan[];
  readonly edges: readonly EdgePlan[];
}

export interface OriginPlan {
  readonly name: string;
}

export interface EdgePlan {
  readonly name: string;
  /** As `--replicate` has it; the rest is cached. */
  readonly replicate: readonly string[];
  readonly upstreams: readonly string[];
}

/** One origin, a copy of everything, a copy of a prefix that caches the rest, and two caches, one of which asks the copy where it must. */
export const oneOrigin: Topology = {
  origins: [{ name: 'origin' }],
  edges: [
    { name: 'copy', replicate: ['*'], upstreams: ['origin'] },
    { name: 'mixed', replicate: ['ns/a*'], upstreams: ['origin'] },
    { name: 'cache', replicate: [], upstreams: ['origin'] },
    { name: 'far', replicate: [], upstreams: ['origin', 'copy'] },
  ],
};
