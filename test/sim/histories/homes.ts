import type { Scene } from './scene.ts';

const absent = { kind: 'absent' } as const;

/** Where conditions and titles are decided: at one place, whatever moves or is cut. */
export const homes = {
  /** A condition waits at the old home behind the record that moves it away. */
  'a condition behind the move of its home': async (scene: Scene) => {
    scene.part('b', 'c');
    scene.path('b a').slowMs = 80;
    await scene.wait(600);
    const moved = scene.moveHome('a', 'b');
    await scene.wait(0);
    const late = scene.put('a', 'a1', { condition: absent }).catch(() => undefined);
    await moved;
    for (let look = 0; look < 40; look++) {
      const decided = await scene.put('b', 'a1', { condition: absent }).catch(() => undefined);
      if (decided !== undefined) break;
      await scene.wait(10);
    }
    await late;
    scene.path('b a').slowMs = 0;
    scene.join('b', 'c');
    await scene.converge();
  },

  /** The new home hears of the move by a scan, which brings what the old one decided behind it. */
  'a home that has yet to hear of what was decided': async (scene: Scene) => {
    // A scan goes by the ids of origins: the record of the move is to come first.
    const [first, second] = ['a', 'b', 'c'].sort((one, other) => (scene.id(one) < scene.id(other) ? -1 : 1));
    const third = ['a', 'b', 'c'].find((name) => name !== first && name !== second);
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are three origins');
    await scene.moveHome('a', first).catch(() => {});
    await scene.wait(300);
    for (const other of [first, second]) scene.part(third, other);
    await scene.put(first, 'a1', { condition: absent });
    await scene.wait(50);
    for (const key of ['a2', 'a3', 'a4', 'a5', 'a1']) await scene.put(second, key);
    await scene.wait(50);
    await scene.moveHome(first, third).catch(() => {});
    await scene.wait(100);
    scene.path(`${third} ${second}`).slowMs = 60;
    scene.join(third, second);
    for (let look = 0; look < 80; look++) {
      const decided = await scene.put(third, 'a1', { condition: absent }).catch(() => undefined);
      if (decided !== undefined) break;
      await scene.wait(10);
    }
    scene.path(`${third} ${second}`).slowMs = 0;
    scene.join(third, first);
    await scene.converge();
  },

  /** The successor reads slowly what another survivor, which reported it, has of the removed home. */
  'a successor that has yet to hear of what was decided': async (scene: Scene) => {
    const a = scene.id('a');
    for (const other of ['a', 'c']) scene.part('b', other);
    await scene.put('a', 'a1', { condition: absent, durability: 'majority' });
    scene.wipe('a');
    await scene.wait(20);
    scene.path('b c').slowMs = 150;
    scene.join('b', 'c');
    await scene.untilAnswered('b', 'c');
    await scene.remove('b', a);
    for (let look = 0; look < 20; look++) {
      await scene.put('b', 'a1', { condition: absent }).catch(() => {});
      await scene.wait(10);
    }
    scene.path('b c').slowMs = 0;
    scene.join('a', 'b');
    await scene.done(scene.cluster.process('a').start());
    await scene.converge();
  },

  /** A home decides, and its disk is put back to before that: once it has heard of it, it decides with it again. */
  'a home that is rolled back': async (scene: Scene) => {
    const image = scene.imageOf('a');
    scene.part('a', 'b');
    scene.path('b c').slowMs = 150;
    await scene.wait(300);
    await scene.put('a', 'a1', { condition: absent, durability: 'majority' });
    scene.putBack('a', image);
    scene.join('a', 'b');
    await scene.done(scene.cluster.process('a').start());
    for (let look = 0; look < 60; look++) {
      for (const at of ['b', 'c']) await scene.put(at, 'a1', { condition: absent }).catch(() => {});
      await scene.wait(10);
    }
    scene.path('b c').slowMs = 0;
    await scene.converge();
  },

  /** One title is claimed at two origins that do not reach each other. */
  'a title that is claimed twice': async (scene: Scene) => {
    for (const other of ['a', 'c']) scene.part('b', other);
    for (const at of ['a', 'b']) await scene.createNamespace(at, 'twice').catch(() => {});
    for (const other of ['a', 'c']) scene.join('b', other);
    await scene.converge();
  },
};
