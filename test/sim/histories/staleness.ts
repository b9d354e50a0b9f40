import { lost } from '../network/path.ts';
import type { Scene } from './scene.ts';

/** Answers that would be wrong about their age, or about what they know. */
export const staleness = {
  /** A new value is announced and cannot be loaded: what is held is not fresh, however lively the feed is. */
  'an invalidation channel that is up while the data are stale': async (scene: Scene) => {
    await scene.put('origin', 'b1', { bytes: 40 });
    await scene.wait(100);
    await scene.get('cache', 'b1');
    await scene.put('origin', 'b1', { bytes: 40 });
    await scene.wait(100);
    scene.path('cache origin').cut(['there', 'back'], 'reset');
    const stale = await scene.get('cache', 'b1');
    scene.expect('a superseded value is not marked as past', stale.past && (stale.bound?.boundMs ?? 1e9) >= 90);
    scene.path('cache origin').mend();
    await scene.converge();
  },

  /** Nobody who never caught up and cannot ask says that a key is not there. */
  '"not found" before the first load': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    for (const name of ['copy', 'mixed', 'cache']) {
      const process = scene.cluster.process(name);
      scene.path(`${name} origin`).cut(['there', 'back'], 'reset');
      process.crash();
      for (const disk of process.disks) disk.wipe();
      await scene.done(process.start());
      const shown = await scene.shows(name, 'a1');
      scene.expect(`${name} answers ${shown}`, shown === 'UNAVAILABLE');
      scene.path(`${name} origin`).mend();
    }
    await scene.converge();
  },

  /** A copy whose first scan is under way holds the registry and not yet the data: it must not say that a key is absent. */
  '"not found" during the first scan': async (scene: Scene) => {
    const [copy, origin] = [scene.cluster.process('copy'), scene.cluster.process('origin').node];
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5']) await scene.put('origin', key);
    copy.crash();
    for (const disk of copy.disks) disk.wipe();
    scene.path('copy origin').slowMs = 80;
    await scene.done(copy.start());
    if (origin === undefined) throw new Error('the origin is up');
    const { get } = origin;
    origin.get = async () => {
      throw lost();
    };
    for (let look = 0; look < 20; look++) {
      const shown = await scene.shows('copy', 'a5');
      scene.expect(`the copy says ${shown}`, shown !== 'absent');
      await scene.wait(20);
    }
    origin.get = get;
    scene.path('copy origin').slowMs = 0;
    await scene.converge();
  },

  /** The origin is not reached for a moment, and the next upstream lags behind: its answer is not kept. */
  'a cache refilled from a lagging upstream': async (scene: Scene) => {
    await scene.put('origin', 'b1');
    await scene.wait(300);
    scene.path('copy origin').cut(['there', 'back'], 'reset');
    await scene.put('origin', 'b1', { bytes: 40 });
    await scene.wait(100);
    // The feed lives on; the load meets a refusal, and asks the copy.
    const origin = scene.cluster.process('origin').node;
    if (origin === undefined) throw new Error('the origin is up');
    const { get } = origin;
    origin.get = async () => {
      throw lost();
    };
    const answer = await scene.get('far', 'b1');
    scene.expect(`the answer is ${answer.source}'s`, answer.responder === 'copy');
    origin.get = get;
    await scene.wait(100);
    scene.oracles.checkEdge(scene.cluster.edgeNamed('far'));
    await scene.get('far', 'b1');
    scene.path('copy origin').mend();
    await scene.converge();
  },

  /** A reader that is slow has changes and echoes waiting for it: no echo may pass a change that came before its probe. */
  'an echo that overtakes the data': async (scene: Scene) => {
    scene.path('copy origin').slowMs = 80;
    await scene.wait(500);
    for (let round = 0; round < 20; round++) {
      await scene.put('origin', 'a1');
      for (let look = 0; look < 6; look++) {
        await scene.wait(17);
        await scene.get('copy', 'a1');
      }
    }
    scene.path('copy origin').slowMs = 0;
    await scene.converge();
  },
};
