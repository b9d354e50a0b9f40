import type { Scene } from './scene.ts';

/** What happens to the origin itself. */
export const originLives = {
  /** The clock steps back between two writes of one key: the later one must win everywhere. */
  'a clock that steps back': async (scene: Scene) => {
    const { origins } = scene.cluster;
    await scene.put('origin', 'a1');
    await scene.wait(60);
    for (const origin of origins) origin.stepClock(-500);
    const { written } = await scene.put('origin', 'a1');
    await scene.wait(100);
    for (const name of ['copy', 'mixed', 'cache']) {
      const shown = await scene.shows(name, 'a1');
      scene.expect(`${name} shows ${shown}, not what was written last`, shown === written[0]?.stamp);
    }
    await scene.converge();
  },

  /** An older image of the origin's disk is put back: who has seen more must not take the new writes for the old ones. */
  'a revision going back after a restore': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.put('origin', 'b1');
    const image = scene.imageOf('origin');
    await scene.put('origin', 'a1');
    await scene.put('origin', 'b1');
    await scene.put('origin', 'a2');
    await scene.wait(100);
    for (const key of ['b1', 'a2']) await scene.get('cache', key);
    scene.putBack('origin', image);
    await scene.done(scene.cluster.process('origin').start());
    for (const key of ['b3', 'b5', 'b7', 'b9']) await scene.put('origin', key);
    await scene.wait(300);
    await scene.converge();
  },
};
