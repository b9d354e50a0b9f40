import type { Scene } from './scene.ts';

const hourMs = 3_600_000;

/** Clocks that are wrong, for good or for a moment. */
export const clocks = {
  /** A value is served for as long as its origin means, whatever the clock of the edge says. */
  'edges whose clocks are wrong': async (scene: Scene) => {
    scene.cluster.process('copy').stepClock(-3000);
    scene.cluster.process('mixed').stepClock(-hourMs);
    for (const name of ['cache', 'far']) scene.cluster.process(name).stepClock(hourMs);
    await scene.wait(200);
    await scene.untilSecond(100);
    for (const key of ['a1', 'b1']) await scene.put('origin', key, { expiresInSeconds: 1 });
    for (let look = 0; look < 25; look++) {
      await scene.wait(100);
      for (const name of ['copy', 'mixed', 'cache', 'far']) {
        for (const key of ['a1', 'b1']) await scene.get(name, key);
        if (look === 12) await scene.crash(name, 10);
      }
    }
    await scene.converge();
  },

  /** What has a time to live is there again once the clock is right, at the origin and at every edge. */
  'an origin whose clock jumps ahead for a moment': async (scene: Scene) => {
    for (const key of ['a1', 'b1']) await scene.put('origin', key, { expiresInSeconds: 60 });
    await scene.wait(400);
    scene.cluster.process('origin').stepClock(hourMs);
    await scene.wait(150);
    for (const name of ['origin', 'copy', 'mixed', 'cache', 'far']) await scene.get(name, 'b1');
    await scene.wait(50);
    scene.cluster.process('origin').stepClock(0);
    await scene.wait(500);
    for (const name of ['origin', 'copy', 'mixed', 'cache', 'far']) {
      for (const key of ['a1', 'b1']) {
        const shown = await scene.shows(name, key, { maxStalenessMs: 300 });
        scene.expect(`${name} shows ${key} as ${shown}`, shown !== 'absent');
      }
    }
    await scene.converge();
  },

  /** The machine comes up with a clock that is set right only later. */
  'an origin that starts with a clock which is ahead': async (scene: Scene) => {
    await scene.put('origin', 'a1', { expiresInSeconds: 60 });
    await scene.wait(100);
    const origin = scene.cluster.process('origin');
    origin.crash('power');
    origin.stepClock(hourMs);
    await scene.done(origin.start());
    await scene.wait(200);
    origin.stepClock(0);
    await scene.wait(300);
    for (const name of ['origin', 'copy']) {
      const shown = await scene.shows(name, 'a1');
      scene.expect(`${name} shows ${shown}`, shown !== 'absent');
    }
    await scene.converge();
  },
};

/** Where there are several origins. */
export const clocksOfSeveral = {
  /** One clock that is wrong for long drops nothing, neither at its own origin nor at another. */
  'one of three origins whose clock is an hour ahead': async (scene: Scene) => {
    await scene.put('a', 'a1', { expiresInSeconds: 60 });
    await scene.wait(200);
    scene.cluster.process('b').stepClock(hourMs);
    await scene.wait(3000);
    for (const name of ['a', 'c', 'copy']) {
      const shown = await scene.shows(name, 'a1', { maxStalenessMs: 300 });
      scene.expect(`${name} shows ${shown}`, shown !== 'absent');
    }
    scene.cluster.process('b').stepClock(0);
    await scene.wait(500);
    const shown = await scene.shows('b', 'a1');
    scene.expect(`b shows ${shown}`, shown !== 'absent');
    await scene.converge();
  },
};

/** Behind relays. */
export const clocksOfRelays = {
  /** Round trips add up along the chain, and nothing else does. */
  'a chain of relays whose clocks are wrong': async (scene: Scene) => {
    scene.cluster.process('near').stepClock(hourMs);
    scene.cluster.process('far').stepClock(-hourMs);
    scene.cluster.process('cache').stepClock(3000);
    scene.cluster.process('whole').stepClock(-3000);
    await scene.wait(200);
    await scene.untilSecond(100);
    await scene.put('origin', 'a1', { expiresInSeconds: 1 });
    for (let look = 0; look < 25; look++) {
      await scene.wait(100);
      for (const name of ['near', 'far', 'end', 'cache', 'part', 'whole']) await scene.get(name, 'a1');
      if (look === 8) await scene.crash('far', 30);
    }
    await scene.converge();
  },
};
