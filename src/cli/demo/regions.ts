/** Where the demo's cluster stands. Round trips are about those of the public internet between such places. */
export const originPlace = { name: 'iad', region: 'us-east', location: '38.9,-77.4' } as const;

export interface RegionPlan {
  readonly name: string;
  readonly region: string;
  readonly location: string;
  /** Milliseconds between this region and the origin, there and back. */
  readonly roundTripMs: number;
}

export const regionPlans: readonly RegionPlan[] = [
  { name: 'sjc', region: 'us-west', location: '37.4,-121.9', roundTripMs: 40 },
  { name: 'fra', region: 'eu-central', location: '50.1,8.7', roundTripMs: 90 },
  { name: 'sin', region: 'ap-southeast', location: '1.4,103.9', roundTripMs: 160 },
];
