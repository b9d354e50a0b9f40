import type { Scene } from './scene.ts';

/** Who an origin is: by its disk, of which there is one. */
export const identities = {
  /** An older image of one origin's disk is put back while the others go on. */
  'a disk that is rolled back under a running cluster': async (scene: Scene) => {
    await scene.put('a', 'a1');
    await scene.wait(200);
    const image = scene.imageOf('a');
    await scene.put('a', 'a1');
    await scene.put('a', 'a2');
    await scene.wait(200);
    scene.putBack('a', image);
    await scene.done(scene.cluster.process('a').start());
    await scene.put('a', 'a3').catch(() => {});
    await scene.wait(1000);
    await scene.converge();
  },

  /** A, put back, lets C in, which was put back too; and is put back once more: C alone names the log in which that stands. */
  'an origin that was let in by an opening that is lost': async (scene: Scene) => {
    const before = scene.id('c');
    scene.wipe('c');
    await scene.remove('b', before);
    await scene.wait(100);
    const image = scene.imageOf('a');
    for (const peer of ['a', 'b']) scene.part('c', peer);
    await scene.done(scene.cluster.process('c').start());
    const joining = scene.imageOf('c');
    for (const peer of ['a', 'b']) scene.join('c', peer);
    await scene.wait(1000);
    for (const other of ['a', 'c']) scene.part('b', other);
    for (const [name, disk] of [
      ['a', image],
      ['c', joining],
    ] as const)
      scene.putBack(name, disk);
    scene.path('c a').slowMs = 150;
    for (const name of ['a', 'c']) await scene.done(scene.cluster.process(name).start());
    const lets = scene.log('a');
    const [, , c] = scene.cluster.origins;
    const isLetIn = () =>
      [...(c?.disk.visible.records.values() ?? [])].some(({ position, key }) => {
        return position.log === lets && key.startsWith('member/');
      });
    for (let waited = 0; waited < 2000 && !isLetIn(); waited++) await scene.wait(1);
    scene.expect('a has not let c in, or c serves already', isLetIn() && c?.node?.serves === false);
    scene.putBack('a', image);
    scene.path('c a').slowMs = 0;
    await scene.done(scene.cluster.process('a').start());
    for (const other of ['a', 'c']) scene.join('b', other);
    await scene.wait(500);
    await scene.converge();
  },

  /** All disks are put back to before a log of A was opened, and later B's to when it knew that: A says then where it ends. */
  'a log that comes to light again': async (scene: Scene) => {
    await scene.wait(1000);
    const origins = ['a', 'b', 'c'];
    const before = origins.map((name) => [name, scene.imageOf(name)] as const);
    await scene.crash('a', 20);
    await scene.put('a', 'a1');
    await scene.wait(100);
    const knows = scene.imageOf('b');
    for (const [name, image] of before) scene.putBack(name, image);
    for (const name of origins) await scene.done(scene.cluster.process(name).start());
    await scene.wait(2000);
    scene.putBack('b', knows);
    await scene.done(scene.cluster.process('b').start());
    await scene.wait(1000);
    await scene.converge();
  },

  /** The image of one origin's disk is started at a second place, under the same id: the earlier of the two stops. */
  'a disk that is copied': async (scene: Scene) => {
    const c = scene.id('c');
    scene.wipe('c');
    await scene.wait(50);
    await scene.remove('b', c);
    await scene.put('a', 'a1');
    await scene.wait(200);
    scene.putBack('c', scene.imageOf('a'));
    for (const peer of ['a', 'b']) scene.part('c', peer);
    await scene.done(scene.cluster.process('c').start());
    for (const at of ['a', 'c']) for (const key of ['a1', 'a2', 'a3']) await scene.put(at, key);
    await scene.wait(100);
    let stopped = 0;
    for (const { name } of scene.cluster.origins) {
      scene.onReplaced(name, () => {
        if (stopped++ === 0) scene.wipe('c');
      });
    }
    for (const peer of ['a', 'b']) scene.join('c', peer);
    await scene.wait(500);
    scene.expect(`${stopped} of two stopped`, stopped === 1);
    await scene.done(scene.cluster.process('c').start());
    await scene.wait(1500);
    await scene.converge();
  },

  /** An origin that was let in has yet to hear of everything: until then it neither answers nor writes. */
  'an origin that is let in and hears slowly': async (scene: Scene) => {
    const c = scene.id('c');
    scene.wipe('c');
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) await scene.put('a', key);
    await scene.wait(50);
    await scene.remove('b', c);
    for (const peer of ['a', 'b']) scene.path(`c ${peer}`).slowMs = 100;
    await scene.done(scene.cluster.process('c').start());
    for (let look = 0; look < 60; look++) {
      await scene.wait(20);
      const shown = await scene.shows('c', 'a6');
      scene.expect(`c, which was let in, shows a6 as ${shown}`, shown !== 'absent' && shown !== 'NOT_FOUND');
    }
    for (const peer of ['a', 'b']) scene.path(`c ${peer}`).slowMs = 0;
    await scene.converge();
  },

  /** An origin that is told of peers waits for them, however long that is. */
  'an origin that is told of peers which are away': async (scene: Scene) => {
    const c = scene.id('c');
    scene.wipe('c');
    await scene.wait(50);
    await scene.remove('b', c);
    for (const peer of ['a', 'b']) scene.part('c', peer);
    await scene.done(scene.cluster.process('c').start());
    await scene.wait(1000);
    const shown = await scene.shows('c', 'a1');
    scene.expect(`c, which nobody let in, says ${shown}`, shown === 'UNAVAILABLE');
    for (const peer of ['a', 'b']) scene.join('c', peer);
    await scene.wait(1500);
    await scene.converge();
  },
};

/** The same of an edge and two clusters: see `twoClusters`. */
export const strangers = {
  /** The second upstream is of another cluster: what an edge holds of the first says nothing there. */
  'an edge between two clusters': async (scene: Scene) => {
    await scene.put('mine', 'a1');
    await scene.wait(200);
    for (const name of ['copy', 'cache']) scene.part(name, 'mine');
    await scene.wait(1500);
    for (const name of ['copy', 'cache']) {
      const { scopes = [], clusterId } = (await scene.node(name).status(scene.call())) ?? {};
      const stranger = (await scene.node('theirs').status(scene.call())).clusterId;
      const live = scopes.some(({ state }) => state === 'live');
      scene.expect(`${name} follows another cluster`, !live && clusterId !== stranger);
    }
  },
};

/** See `mirror`. */
export const selves = {
  /** It meets its own id at the address of a peer, and is no copy of itself. */
  'an origin that is its own peer': async (scene: Scene) => {
    for (const at of ['a', 'b']) await scene.put(at, 'a1');
    await scene.wait(500);
    await scene.converge();
  },
};
