import { oneOrigin, relayChain as relaysOfTwo, severalOrigins, type Topology } from '../nodes/topology.ts';
import { absences } from './absences.ts';
import { clocks, clocksOfRelays, clocksOfSeveral } from './clocks.ts';
import { homes } from './homes.ts';
import { identities, selves, strangers } from './identities.ts';
import { mirror } from './mirror.ts';
import { originLives } from './origin-lives.ts';
import { pairs, peers } from './peers.ts';
import { relayChain } from './relay-chain.ts';
import { relays } from './relays.ts';
import { removals } from './removals.ts';
import { Scene } from './scene.ts';
import { sessions } from './sessions.ts';
import { staleness } from './staleness.ts';
import { twoClusters } from './two-clusters.ts';
import { watches } from './watches.ts';

type Histories = Readonly<Record<string, (scene: Scene) => Promise<void>>>;

/** Histories by name: known failures of others, and what random histories reach too rarely. */
const groups: ReadonlyArray<readonly [Topology, Histories]> = [
  [oneOrigin, { ...absences, ...watches, ...staleness, ...originLives, ...clocks }],
  [severalOrigins, { ...peers, ...sessions, ...homes, ...removals, ...identities, ...clocksOfSeveral }],
  [relaysOfTwo, pairs],
  [twoClusters, strangers],
  [mirror, selves],
  [relayChain, { ...relays, ...clocksOfRelays }],
];

export const historyNames: readonly string[] = groups.flatMap(([, histories]) => Object.keys(histories));

/** Plays one. What it violates, and all that happened. */
export async function playHistory(name: string): Promise<{ violations: readonly string[]; trace: readonly string[] }> {
  const [topology, histories] = groups.find(([, group]) => name in group) ?? [];
  const history = histories?.[name];
  if (history === undefined) throw new Error(`no history is called ${name}`);
  const scene = new Scene(topology);
  await scene.start();
  await history(scene).catch((error: Error) => scene.expect(`the history broke off: ${error.message}`, false));
  scene.end();
  return { violations: scene.violations, trace: scene.oracles.trace.lines };
}
