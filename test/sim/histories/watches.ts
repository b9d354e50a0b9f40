import { purgedAfterMs, type Scene } from './scene.ts';

/** Known failures of watches elsewhere: each is a history that must end well here. */
export const watches = {
  /** The stream breaks, others write and delete meanwhile, and the watch resumes: never an older record after a newer. */
  'a watch going back in time after a partition': async (scene: Scene) => {
    const { watcher, path } = scene.watch('copy', 'nothing');
    await scene.put('origin', 'a1');
    await scene.wait(200);
    path.cut(['back']);
    for (let round = 0; round < 5; round++) await scene.put('origin', 'a1');
    await scene.wait(100);
    scene.path('copy origin').cut(['there', 'back'], 'reset');
    await scene.wait(300);
    path.mend();
    await scene.put('origin', 'a1');
    await scene.wait(200);
    scene.path('copy origin').mend();
    await scene.converge();
    scene.expect('the watch never resumed', watcher.resumes > 0);
  },

  /** The watch is away while its key is deleted and the tombstone purged: it must hear of a reset. */
  'an event lost where compaction meets a delete': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    const { watcher, path } = scene.watch('origin', 'nothing');
    await scene.wait(100);
    path.cut(['there', 'back'], 'reset');
    await scene.delete('origin', 'a1');
    await scene.wait(purgedAfterMs);
    path.mend();
    await scene.wait(200);
    scene.expect('the watch was told of no reset', watcher.resets === 1);
    await scene.converge();
  },

  /** The cursor is the floor itself: nothing is missing, so nothing is reset. */
  'a watch opened exactly at the floor': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.delete('origin', 'a1');
    const { watcher, path } = scene.watch('origin', 'nothing');
    await scene.wait(100);
    path.cut(['there', 'back'], 'reset');
    await scene.wait(purgedAfterMs);
    scene.expect('nothing was purged', (scene.coverage.counts.get('purged at origin') ?? 0) > 0);
    path.mend();
    await scene.put('origin', 'a2');
    await scene.wait(200);
    scene.expect('the watch was reset', watcher.resets === 0);
    await scene.converge();
  },

  /** A relay holds a write that went through it and does not cover it yet: a watch that begins there now must hear of it. */
  'a watch that begins at a relay ahead of what it covers': async (scene: Scene) => {
    const path = scene.path('copy origin');
    path.slowMs = 40;
    for (const key of ['a1', 'a2', 'a3']) await scene.put('origin', key);
    await scene.put('copy', 'a4');
    scene.watch('copy', 'now');
    await scene.wait(600);
    path.slowMs = 0;
    await scene.converge();
  },
};
