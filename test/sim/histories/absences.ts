import { purgedAfterMs, type Scene } from './scene.ts';

/** A node that was away for longer than tombstones are kept must not bring anything back. */
export const absences = {
  /** A deleted key rises again from a copy that never heard of the deletion. */
  'resurrection after a long absence': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.put('origin', 'a2');
    await scene.wait(100);
    await scene.get('cache', 'a1');
    const away = Promise.all([scene.cluster.process('cache').crash(), scene.cluster.process('copy').crash()]);
    await scene.delete('origin', 'a1');
    await scene.wait(purgedAfterMs);
    await away;
    await scene.done(scene.cluster.process('copy').start());
    await scene.done(scene.cluster.process('cache').start());
    await scene.wait(300);
    for (const name of ['copy', 'cache'])
      scene.expect(`${name} shows a1`, (await scene.shows(name, 'a1')) === 'absent');
    await scene.converge();
  },

  /** An older value rises again where the newer one expired and was deleted outright. */
  'expired while the copy was away': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.wait(100);
    scene.path('copy origin').cut(['there', 'back'], 'reset');
    await scene.put('origin', 'a1', { expiresInSeconds: 1 });
    await scene.wait(purgedAfterMs);
    scene.path('copy origin').mend();
    await scene.wait(300);
    scene.expect('the copy shows a1', (await scene.shows('copy', 'a1')) === 'absent');
    await scene.converge();
  },

  /** The copy's resync breaks off before the record that must go: the next one has to remember that it replaces what is held. */
  'a resync that is interrupted': async (scene: Scene) => {
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5']) await scene.put('origin', key);
    await scene.wait(200);
    scene.cluster.process('copy').crash('process');
    await scene.delete('origin', 'a5');
    await scene.wait(purgedAfterMs);
    scene.path('copy origin').slowMs = 60;
    await scene.done(scene.cluster.process('copy').start());
    await scene.wait(250);
    await scene.crash('copy', 20);
    scene.path('copy origin').slowMs = 0;
    await scene.converge();
    scene.expect('the copy was made to resync', (scene.coverage.counts.get('resync below-floor') ?? 0) > 0);
  },

  /** A namespace is deleted and created again under its title while the copy is away, and the tombstone is purged. */
  'a namespace that was replaced during an absence': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.wait(100);
    scene.cluster.process('copy').crash();
    scene.cluster.process('mixed').crash();
    await scene.removeNamespace();
    await scene.createNamespace();
    await scene.removeNamespace();
    await scene.wait(purgedAfterMs);
    for (const name of ['copy', 'mixed']) await scene.done(scene.cluster.process(name).start());
    await scene.wait(300);
    for (const name of ['copy', 'mixed']) {
      scene.expect(`${name} knows a namespace that is gone`, (await scene.shows(name, 'a1')) === 'NOT_FOUND');
    }
    await scene.createNamespace();
    await scene.put('origin', 'a1');
    await scene.converge();
  },

  /** Data of a namespace that is gone reach a copy behind the news of its end: the origin had yet to remove them. */
  'data that come late for a dead namespace': async (scene: Scene) => {
    const copy = scene.cluster.process('copy');
    for (let round = 0; round < 5; round++) {
      for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) await scene.put('origin', key);
      await scene.wait(100 + round * 11);
      copy.crash();
      for (const disk of copy.disks) disk.wipe();
      await scene.removeNamespace();
      scene.path('copy origin').slowMs = 90;
      await scene.done(copy.start());
      await scene.wait(1200);
      scene.path('copy origin').slowMs = 0;
      await scene.createNamespace();
    }
    await scene.converge();
  },

  /** The answer to a load shows what was, and the feed overtakes it: it names the write that came between. */
  'a load that the feed overtakes': async (scene: Scene) => {
    const path = scene.path('cache origin');
    await scene.put('origin', 'b1');
    await scene.wait(100);
    path.slowAnswersMs = 200;
    const early = scene.get('cache', 'b1');
    await scene.wait(path.latencyMs * 1.5);
    path.slowAnswersMs = 0;
    const { written } = await scene.put('origin', 'b1');
    await early;
    await scene.wait(20);
    const shown = await scene.shows('cache', 'b1');
    scene.expect(`the cache shows ${shown}, which the feed had named a later stamp of`, shown === written[0]?.stamp);
    await scene.converge();
  },

  /** A load that began before a cache's resync is answered after it, and the feed never showed what came between. */
  'a load across a resync': async (scene: Scene) => {
    const path = scene.path('cache origin');
    for (let round = 0; round < 4; round++) {
      await scene.put('origin', 'b1');
      await scene.put('origin', 'b3');
      await scene.wait(100);
      path.cut(['there', 'back'], 'reset');
      await scene.delete('origin', 'b3');
      await scene.wait(purgedAfterMs + round * 17);
      path.mend();
      path.slowAnswersMs = 200;
      const early = scene.get('cache', 'b1');
      await scene.wait(path.latencyMs * 1.5);
      await scene.put('origin', 'b1', { bytes: 40 });
      await early;
      path.slowAnswersMs = 0;
      await scene.wait(100);
      scene.oracles.checkEdge(scene.cluster.edgeNamed('cache'));
    }
    await scene.converge();
  },

  /** A cache's first scan breaks off, and what it was shown of the registry ends before the next one begins. */
  'a first scan of a cache that breaks off': async (scene: Scene) => {
    const cache = scene.cluster.process('cache');
    cache.crash();
    for (const disk of cache.disks) disk.wipe();
    scene.path('cache origin').slowMs = 60;
    await scene.done(cache.start());
    await scene.wait(150);
    cache.crash('process');
    await scene.removeNamespace();
    await scene.wait(purgedAfterMs);
    scene.path('cache origin').slowMs = 0;
    await scene.done(cache.start());
    await scene.wait(300);
    scene.expect('the cache knows a namespace that is gone', (await scene.shows('cache', 'a1')) === 'NOT_FOUND');
    await scene.createNamespace();
    await scene.converge();
  },

  /** A copy's store fails under another commit than the feed's, and what the feed had brought is gone with it. */
  'a store that fails beside the feed': async (scene: Scene) => {
    const { copyDisk } = scene.cluster.edgeNamed('copy');
    await scene.put('origin', 'a3', { expiresInSeconds: 1 });
    await scene.wait(900);
    await scene.untilSecond(960);
    await scene.put('origin', 'a1');
    await scene.wait(97);
    copyDisk.nextCommitFails = 'lost'; // Of the garbage collection: it is time for a3 to expire.
    await scene.wait(150);
    await scene.put('origin', 'a2');
    await scene.wait(10);
    scene.oracles.checkEdge(scene.cluster.edgeNamed('copy'));
    await scene.converge();
  },
};
