import { SessionKeeper } from '../../../src/client/session-keeper.ts';
import { purgedAfterMs, type Scene } from './scene.ts';

const absent = { kind: 'absent' } as const;

/** Origins that are removed for good, and what they leave. */
export const removals = {
  /** One survivor alone knows too little to remove an origin: another may hold what was acknowledged at majority. */
  'a removal that one survivor reports for': async (scene: Scene) => {
    const a = scene.id('a');
    for (const other of ['a', 'c']) scene.part('b', other);
    await scene.put('a', 'a1', { condition: absent, durability: 'majority' });
    scene.wipe('a');
    await scene.remove('b', a).catch(() => {});
    await scene.put('b', 'a1', { condition: absent }).catch(() => {});
    for (const other of ['a', 'c']) scene.join('b', other);
    await scene.wait(300);
    await scene.remove('c', a).catch(() => {});
    await scene.done(scene.cluster.process('a').start());
    await scene.converge();
  },

  /** The home of a namespace goes on deciding while it is removed: who has reported takes, and acknowledges, nothing more. */
  'a home that decides while it is removed': async (scene: Scene) => {
    const a = scene.id('a');
    scene.part('a', 'b');
    scene.path('b c').slowMs = 150;
    await scene.wait(300);
    const removed = scene.remove('b', a);
    await scene.wait(scene.path('b c').latencyMs * 1.5);
    const wishes = { condition: absent, durability: 'majority', durabilityTimeoutMs: 100 } as const;
    // A begins anew as soon as it hears of its removal, and then answers nobody.
    void scene.put('a', 'a1', wishes).catch(() => {});
    await removed;
    await scene.put('b', 'a1', { condition: absent }).catch(() => {});
    scene.path('b c').slowMs = 0;
    scene.join('a', 'b');
    await scene.converge();
  },

  /** Two survivors remove one origin at once: each log may get one end, and the member one successor. */
  'two removals of one origin': async (scene: Scene) => {
    const a = scene.id('a');
    scene.wipe('a');
    await scene.wait(50);
    const removals = ['b', 'c'].map((at) => scene.remove(at, a).catch(() => undefined));
    await Promise.all(removals);
    await Promise.all(['b', 'c'].map((at) => scene.put(at, 'a1', { condition: absent }).catch(() => undefined)));
    await scene.wait(100);
    await scene.remove('b', a).catch(() => {});
    await scene.done(scene.cluster.process('a').start());
    await scene.converge();
  },

  /** C holds what A wrote last, and is away when A is removed by force: it brings that back, behind the seal. */
  'what a survivor that was away has of a removed origin': async (scene: Scene) => {
    const user = new SessionKeeper(true);
    const a = scene.id('a');
    for (const other of ['a', 'c']) scene.part('b', other);
    user.answered(user.current, (await scene.put('a', 'a1', { durability: 'majority' })).session);
    scene.wipe('a');
    await scene.wait(20);
    await scene.remove('b', a, true);
    for (const other of ['a', 'c']) scene.join('b', other);
    await scene.wait(1500);
    const late = await scene.shows('b', 'a1', { session: user.current });
    scene.expect(`b shows ${late}`, late === user.current.stamp);
    await scene.done(scene.cluster.process('a').start());
    await scene.converge(user.current);
  },

  /** C alone could bring what was agreed to be left of A, and is lost with its disk before it did. */
  'a removal of who was to bring what another left': async (scene: Scene) => {
    const [a, c] = [scene.id('a'), scene.id('c')];
    for (const other of ['a', 'c']) scene.part('b', other);
    const { written } = await scene.put('a', 'a1', { durability: 'majority' });
    scene.wipe('a');
    await scene.wait(20);
    scene.path('b c').slowMs = 150;
    scene.join('b', 'c');
    await scene.untilAnswered('b', 'c');
    await scene.remove('b', a);
    const shown = await scene.shows('b', 'a1');
    scene.expect(`b, which removed a, shows ${shown}`, shown === written[0]?.stamp);
    scene.wipe('c');
    scene.path('b c').slowMs = 0;
    await scene.wait(100);
    await scene.remove('b', c);
    scene.join('a', 'b');
    for (const name of ['a', 'c']) await scene.done(scene.cluster.process(name).start());
    await scene.wait(1000);
    await scene.converge();
  },

  /** An edge alone had heard of a write when the disk that had it was lost. */
  'a copy of what nobody else has': async (scene: Scene) => {
    const a = scene.id('a');
    for (const other of ['b', 'c']) scene.part('a', other);
    await scene.put('a', 'a1');
    await scene.put('a', 'a2');
    await scene.wait(50);
    scene.wipe('a');
    await scene.wait(50);
    await scene.remove('b', a);
    await scene.put('b', 'a2');
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.done(scene.cluster.process('a').start());
    await scene.converge();
  },

  /** The same of a cache, which has it from the answer to a load. */
  'a cache of what nobody else has': async (scene: Scene) => {
    const a = scene.id('a');
    for (const other of ['b', 'c']) scene.part('a', other);
    scene.part('cache', 'c');
    await scene.wait(200);
    scene.path('cache a').slowMs = 200;
    await scene.wait(300);
    await scene.put('a', 'a1');
    await scene.get('cache', 'a1', { atOrigin: true });
    scene.part('cache', 'a');
    scene.wipe('a');
    await scene.wait(50);
    await scene.remove('b', a);
    scene.path('cache a').slowMs = 0;
    for (const other of ['a', 'c']) scene.join('cache', other);
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.done(scene.cluster.process('a').start());
    await scene.converge();
  },

  /** A removed origin was alive all the time: what it alone has is saved before it begins anew. */
  'a removed origin that comes back': async (scene: Scene) => {
    const a = scene.id('a');
    await scene.put('a', 'a1');
    await scene.wait(100);
    for (const other of ['b', 'c']) scene.part('a', other);
    await scene.put('a', 'a1');
    await scene.put('a', 'a2');
    await scene.remove('b', a);
    await scene.wait(purgedAfterMs);
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.wait(500);
    await scene.converge();
  },

  /**
   * C is removed while nobody hears it. What it wrote loses against a deletion that is purged by the time C comes back: that
   * is kept apart, not written again.
   */
  'a removed origin that comes back with what was deleted': async (scene: Scene) => {
    const c = scene.id('c');
    for (const other of ['a', 'b']) scene.part('c', other);
    await scene.put('c', 'b1');
    await scene.wait(20);
    await scene.delete('a', 'b1');
    await scene.remove('a', c);
    await scene.wait(purgedAfterMs);
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
    for (const at of ['a', 'c']) {
      const shown = await scene.shows(at, 'b1');
      scene.expect(`${at} shows b1, which was deleted`, shown === 'absent');
    }
  },

  /** A is removed while it lives, and edges that have heard of that reach nobody else: what A has is nobody's any more. */
  'edges that go over to a removed origin': async (scene: Scene) => {
    const a = scene.id('a');
    await scene.put('a', 'a1');
    await scene.wait(100);
    for (const other of ['b', 'c']) scene.part('a', other);
    const { written } = await scene.put('a', 'a2');
    for (const edge of ['copy', 'cache']) scene.part('a', edge);
    await scene.remove('b', a);
    await scene.wait(200);
    for (const edge of ['copy', 'cache']) {
      for (const other of ['b', 'c']) scene.part(edge, other);
      scene.join('a', edge);
    }
    for (let look = 0; look < 20; look++) {
      await scene.wait(40);
      for (const edge of ['copy', 'cache']) {
        const shown = await scene.shows(edge, 'a2');
        scene.expect(`${edge} shows what a wrote beyond its end`, shown !== written[0]?.stamp);
      }
    }
    for (const edge of ['copy', 'cache']) for (const other of ['b', 'c']) scene.join(edge, other);
    await scene.wait(200);
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.converge();
  },
};
