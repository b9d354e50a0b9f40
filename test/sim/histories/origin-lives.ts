import { purgedAfterMs, type Scene } from './scene.ts';

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

  /** Its disk took a commit and said that it had failed: what is kept in memory of before is not shown any more. */
  'a commit that fails and is on the disk': async (scene: Scene) => {
    const first = await scene.put('origin', 'a1');
    await scene.get('origin', 'a1');
    const [origin] = scene.cluster.origins;
    if (origin !== undefined) origin.disk.nextCommitFails = 'kept';
    const failed = await scene.put('origin', 'a1').then(
      () => false,
      () => true,
    );
    scene.expect('the commit did not fail', failed);
    await scene.wait(300);
    const shown = await scene.shows('origin', 'a1');
    scene.expect(
      'the origin shows what was replaced on its disk',
      shown !== first.written[0]?.stamp && shown !== 'absent',
    );
    await scene.converge();
  },

  /** A cache begins for the first time, and hears of a namespace; its scan breaks off, and until the next one that is purged. */
  'a cache whose first scan breaks off': async (scene: Scene) => {
    const cache = scene.cluster.process('cache');
    cache.crash();
    for (const disk of cache.disks) disk.wipe();
    await scene.createNamespace('origin', 'late');
    scene.path('cache origin').slowMs = 60;
    void cache.start();
    const known = () => cache.disks.flatMap(({ visible }) => [...visible.records.values()]).map(({ key }) => key);
    const hasHeard = () => known().filter((key) => key.startsWith('namespace/')).length === 2;
    for (let waited = 0; waited < 2000 && !hasHeard(); waited++) await scene.wait(1);
    scene.expect('the cache has not heard of the namespace', hasHeard());
    const path = scene.path('cache origin');
    path.cut(['there', 'back'], 'reset');
    path.slowMs = 0;
    await scene.done(scene.node('origin').remove('late', scene.call()));
    await scene.wait(purgedAfterMs);
    path.mend();
    await scene.wait(500);
    const found = await scene.done(scene.node('cache').namespaces(scene.call()));
    const titles = found.map(({ title }) => title);
    scene.expect(`the cache lists ${titles}`, !titles.includes('late'));
    await scene.converge();
  },

  /** The disk is put back, a log sealed early; and then put back to where that log is sealed later: the edges give up the first end. */
  'a disk that is put back to another past': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.wait(100);
    const early = scene.imageOf('origin');
    for (const key of ['a2', 'b3', 'a4']) await scene.put('origin', key);
    await scene.crash('origin', 20);
    await scene.wait(500);
    const late = scene.imageOf('origin');
    scene.putBack('origin', early);
    await scene.done(scene.cluster.process('origin').start());
    await scene.put('origin', 'b5');
    await scene.wait(1000);
    scene.putBack('origin', late);
    await scene.done(scene.cluster.process('origin').start());
    await scene.wait(500);
    await scene.converge();
    for (const at of ['copy', 'cache']) scene.expect(`${at} lacks a4`, (await scene.shows(at, 'a4')) !== 'absent');
  },
};
