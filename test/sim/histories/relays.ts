import { purgedAfterMs, type Scene } from './scene.ts';

/** What goes wrong between a relay and those below it. */
export const relays = {
  /** What a relay does not know of its own age, nobody below it may say. */
  'a relay that is cut off': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.wait(200);
    scene.path('near origin').cut(['there', 'back']);
    await scene.put('origin', 'a1');
    for (let look = 0; look < 10; look++) {
      await scene.wait(20);
      for (const name of ['near', 'far', 'cache', 'whole']) await scene.get(name, 'a1');
    }
    scene.path('near origin').mend();
    await scene.converge();
  },

  /** A probe came to a relay that was cut off; when its echo is read, the relay knows more, and the reader does not. */
  'an echo that waits while its relay catches up': async (scene: Scene) => {
    const [up, down] = [scene.path('near origin'), scene.path('far near')];
    await scene.put('origin', 'a1');
    await scene.wait(200);
    down.slowMs = 60;
    for (let round = 0; round < 60; round++) {
      if (round === 10) up.cut(['there', 'back'], 'reset');
      if (round === 25) up.mend();
      if (round < 40) await scene.put('origin', 'a1');
      await scene.wait(20);
      await scene.get('far', 'a1');
    }
    down.slowMs = 0;
    await scene.converge();
  },

  /** A relay that was never told of a deletion serves one who was not either: it has to know that it does not know. */
  'a relay that begins after a deletion was purged': async (scene: Scene) => {
    await scene.put('origin', 'a1');
    await scene.put('origin', 'a2');
    await scene.wait(200);
    for (const name of ['near', 'far']) scene.cluster.process(name).crash();
    await scene.delete('origin', 'a1');
    await scene.wait(purgedAfterMs);
    for (const disk of scene.cluster.process('near').disks) disk.wipe();
    await scene.done(scene.cluster.process('near').start());
    await scene.wait(300);
    await scene.done(scene.cluster.process('far').start());
    await scene.converge();
  },

  /** The same, and its followers do not wait until the relay has caught up. */
  'a relay that is followed before it has caught up': async (scene: Scene) => {
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7']) await scene.put('origin', key);
    await scene.wait(200);
    for (const name of ['near', 'far']) scene.cluster.process(name).crash();
    await scene.delete('origin', 'a1');
    await scene.wait(purgedAfterMs);
    for (const disk of scene.cluster.process('near').disks) disk.wipe();
    scene.path('near origin').slowMs = 200;
    await scene.done(scene.cluster.process('near').start());
    await scene.wait(100);
    await scene.done(scene.cluster.process('far').start());
    await scene.wait(1500);
    scene.path('near origin').slowMs = 0;
    await scene.converge();
  },

  /** A write goes through a relay, which keeps it before the feed brings it: its followers must hear of it. */
  'a write through a relay': async (scene: Scene) => {
    await scene.wait(100);
    scene.path('near origin').slowMs = 40;
    await scene.put('near', 'a1');
    await scene.get('near', 'a1');
    await scene.put('near', 'a2');
    for (let look = 0; look < 20; look++) {
      await scene.wait(10);
      scene.oracles.checkEdge(scene.cluster.edgeNamed('far'));
    }
    scene.path('near origin').slowMs = 0;
    await scene.converge();
  },

  /** A relay that was away for too long resyncs, and what was deleted goes without a trace: nobody may follow it meanwhile. */
  'a relay that resyncs under its followers': async (scene: Scene) => {
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5']) await scene.put('origin', key);
    await scene.wait(200);
    scene.path('near origin').cut(['there', 'back'], 'reset');
    await scene.delete('origin', 'a3');
    await scene.wait(purgedAfterMs);
    scene.path('near origin').slowMs = 60;
    scene.path('near origin').mend();
    await scene.wait(600);
    scene.path('near origin').slowMs = 0;
    await scene.converge();
    scene.expect('the relay was made to resync', (scene.coverage.counts.get('resync below-floor') ?? 0) > 0);
  },

  /** A copy that purged a deletion fails over to a relay to which even the write is news. */
  'a relay that lags behind its follower': async (scene: Scene) => {
    await scene.put('origin', 'a2');
    await scene.untilSecond(300);
    scene.path('near origin').slowMs = 350;
    await scene.wait(400);
    await scene.put('origin', 'a1');
    await scene.wait(100);
    await scene.delete('origin', 'a1');
    await scene.wait(1500);
    scene.path('end origin').cut(['there', 'back'], 'reset');
    for (let look = 0; look < 120; look++) {
      await scene.wait(20);
      scene.oracles.checkEdge(scene.cluster.edgeNamed('end'));
    }
    scene.path('near origin').slowMs = 0;
    scene.path('end origin').mend();
    await scene.converge();
  },

  /** A scan breaks off behind the place of a write whose key was yet to come, and goes on at a relay that lags. */
  'a scan that goes on elsewhere': async (scene: Scene) => {
    const path = scene.path('end origin');
    await scene.put('origin', 'a9');
    await scene.wait(200);
    path.cut(['there', 'back'], 'reset');
    for (const key of ['a1', 'a2', 'a3', 'a4']) await scene.put('origin', key);
    scene.path('end near').cut(['there', 'back'], 'reset');
    await scene.wait(100);
    scene.path('near origin').cut(['there', 'back'], 'reset');
    await scene.put('origin', 'a1');
    await scene.wait(400);
    path.slowMs = 60;
    path.mend();
    await scene.wait(150);
    path.cut(['there', 'back'], 'reset');
    scene.path('end near').mend();
    for (let look = 0; look < 40; look++) {
      await scene.wait(20);
      scene.oracles.checkEdge(scene.cluster.edgeNamed('end'));
    }
    path.slowMs = 0;
    path.mend();
    scene.path('near origin').mend();
    await scene.converge();
  },

  /** A relay that holds a part does not serve who wants the whole. */
  'a relay of a part': async (scene: Scene) => {
    const whole = scene.cluster.process('whole');
    for (const key of ['a1', 'b1']) await scene.put('origin', key);
    whole.crash();
    for (const disk of whole.disks) disk.wipe();
    await scene.done(whole.start());
    await scene.wait(100); // Before an audit would mend it.
    scene.oracles.checkEdge(scene.cluster.edgeNamed('whole'));
    await scene.converge();
  },
};
