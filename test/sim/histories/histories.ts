import { absences } from './absences.ts';
import { originLives } from './origin-lives.ts';
import { Scene } from './scene.ts';
import { staleness } from './staleness.ts';
import { watches } from './watches.ts';

/** Histories by name: known failures of others, and what random histories reach too rarely. */
export const histories: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  ...absences,
  ...watches,
  ...staleness,
  ...originLives,
};

/** Plays one. What it violates, and all that happened. */
export async function playHistory(name: string): Promise<{ violations: readonly string[]; trace: readonly string[] }> {
  const history = histories[name];
  if (history === undefined) throw new Error(`no history is called ${name}`);
  const scene = new Scene();
  await scene.start();
  await history(scene);
  scene.end();
  return { violations: scene.violations, trace: scene.oracles.trace.lines };
}
