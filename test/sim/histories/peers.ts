import { purgedAfterMs, type Scene } from './scene.ts';

/** The nodes that C has to do with. */
const cutOffFromC = ['a', 'b', 'copy', 'mixed', 'cache'];

/** Origins that follow each other, and lose each other from sight. */
export const peers = {
  /** What an origin wrote by itself loses against a deletion that it has not heard of: that has to be kept until then. */
  'a deletion that an origin away has yet to hear of': async (scene: Scene) => {
    await scene.put('a', 'a1');
    await scene.wait(200);
    for (const other of ['a', 'b']) scene.part('c', other);
    await scene.put('c', 'a1');
    await scene.wait(20);
    await scene.delete('a', 'a1');
    await scene.wait(purgedAfterMs);
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
  },

  /** The same where all others were restarted meanwhile: who was not heard of since covers nothing, for all they know. */
  'a deletion that an origin away has yet to hear of, after a restart': async (scene: Scene) => {
    await scene.put('a', 'a1');
    await scene.wait(200);
    for (const other of ['a', 'b']) scene.part('c', other);
    await scene.put('c', 'a1');
    await scene.wait(20);
    await scene.delete('a', 'a1');
    for (const origin of ['a', 'b']) await scene.crash(origin, 20);
    await scene.wait(purgedAfterMs);
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
  },

  /** An origin acknowledges a deletion by another way than that on which its own, earlier write is still to come. */
  'a deletion that is acknowledged before what it deletes': async (scene: Scene) => {
    scene.part('b', 'c');
    await scene.untilSecond(500);
    scene.path('a c').slowMs = 350;
    await scene.wait(400);
    await scene.put('c', 'a1');
    await scene.wait(20);
    await scene.delete('a', 'a1');
    await scene.wait(100);
    await scene.put('a', 'a2');
    await scene.wait(purgedAfterMs);
    await looks(scene, ['a']);
    scene.path('a c').slowMs = 0;
    scene.join('b', 'c');
    await scene.converge();
  },

  /** A copy fails over to an origin that has not heard of a deletion, and has a write that loses against it. */
  'a copy that goes on at an origin that was away': async (scene: Scene) => {
    await scene.wait(200);
    for (const other of ['a', 'b']) scene.part('c', other);
    await scene.put('c', 'a1');
    await scene.wait(20);
    await scene.delete('a', 'a1');
    await scene.wait(purgedAfterMs);
    for (const other of ['a', 'b']) scene.part('copy', other);
    await looks(scene, []);
    for (const other of ['a', 'b']) {
      scene.join('copy', other);
      scene.join('c', other);
    }
    await scene.converge();
  },

  /**
   * C's disk is put back to an image from before a deletion that all had heard of, and purged since: C begins anew, and
   * brings what it alone has.
   */
  'an origin that is put back behind a purge': async (scene: Scene) => {
    await putBackBehindPurge(scene);
    for (const other of cutOffFromC) scene.join('c', other);
    await scene.wait(500);
    scene.expect('c did not begin anew', (scene.coverage.counts.get('begins anew: below a floor') ?? 0) > 0);
    await scene.converge();
    const shown = await scene.shows('a', 'b9');
    scene.expect(`what c alone had, a shows as ${shown}`, shown !== 'absent');
  },

  /** The same with B away, which wrote something that loses against a deletion: nobody purges that before B has heard. */
  'a deletion while an origin begins anew': async (scene: Scene) => {
    await putBackBehindPurge(scene);
    for (const other of ['a', 'c']) scene.part('b', other);
    await scene.put('b', 'b1');
    await scene.wait(10);
    await scene.delete('a', 'b1');
    for (const other of ['a', 'copy', 'mixed', 'cache']) scene.join('c', other);
    await scene.wait(purgedAfterMs);
    for (const other of ['a', 'c']) scene.join('b', other);
    await scene.converge();
  },

  /** B takes over what A wrote by a scan, and C follows B alone: B passes on what it holds, and claims nothing of it yet. */
  'an origin that passes on what it scans': async (scene: Scene) => {
    scene.part('a', 'c');
    scene.part('a', 'b');
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a1']) await scene.put('a', key);
    await scene.wait(100);
    scene.path('b a').slowMs = 60;
    scene.join('a', 'b');
    await looks(scene, ['b', 'c']);
    scene.path('b a').slowMs = 0;
    scene.join('a', 'c');
    await scene.converge();
  },

  /** C begins to follow B while B scans what A wrote: it is given all that B holds, also what B does not cover yet. */
  'an origin that is followed while it scans': async (scene: Scene) => {
    scene.part('a', 'c');
    scene.part('a', 'b');
    scene.part('b', 'c');
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8']) await scene.put('a', key);
    await scene.wait(100);
    scene.path('b a').slowMs = 60;
    scene.join('a', 'b');
    await scene.wait(250);
    scene.join('b', 'c');
    await looks(scene, ['b', 'c']);
    scene.path('b a').slowMs = 0;
    scene.join('a', 'c');
    await scene.converge();
  },

  /**
   * B shows what it scans of A's log, and claims nothing of it yet. A watch that goes on from there at C, which has an earlier
   * write of the key, is not told of that.
   */
  'a watch that moves while it is shown what is scanned': async (scene: Scene) => {
    const { move } = scene.watch('b', 'nothing');
    await scene.wait(100);
    scene.part('a', 'b');
    scene.part('b', 'c');
    await scene.put('a', 'a1');
    await scene.wait(100);
    scene.part('a', 'c');
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8']) await scene.put('a', key);
    scene.path('b a').slowMs = 100;
    scene.join('a', 'b');
    const sees = async () => (await scene.shows('b', 'a1')) !== 'absent';
    for (let waited = 0; waited < 2000 && !(await sees()); waited += 20) await scene.wait(20);
    await scene.wait(20);
    move('c');
    await scene.wait(300);
    scene.path('b a').slowMs = 0;
    for (const [one, other] of [
      ['a', 'c'],
      ['b', 'c'],
    ] as const)
      scene.join(one, other);
    await scene.converge();
  },

  /** A writer that asks for other disks is told of them only once they have it. */
  'a majority that is not reached': async (scene: Scene) => {
    const wishes = { durability: 'majority', durabilityTimeoutMs: 50 } as const;
    await scene.put('a', 'a1', wishes);
    for (const other of ['b', 'c']) scene.part('a', other);
    await scene.put('a', 'a2', wishes);
    scene.join('a', 'b');
    await scene.wait(300);
    scene.part('b', 'c');
    await scene.put('a', 'a3', { ...wishes, durability: 'all' });
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
  },

  /** A clock that is far ahead wins no conflict: whoever runs by it is not followed. */
  'a clock that is far ahead': async (scene: Scene) => {
    const [a] = scene.cluster.origins;
    await scene.put('a', 'a1');
    await scene.wait(100);
    a?.stepClock(700);
    for (const other of ['b', 'c']) scene.part('a', other);
    await scene.put('a', 'a1');
    await scene.wait(100);
    const { written } = await scene.put('b', 'a1');
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.wait(300);
    const shown = await scene.shows('b', 'a1');
    scene.expect(`b shows ${shown}, not what was written last`, shown === written[0]?.stamp);
    a?.stepClock(0);
    await scene.wait(1500);
    await scene.converge();
  },
};

/** Of two origins. */
export const pairs = {
  /**
   * Both disks are put back: A's behind a purge of B, so that A puts its store aside, and then B's to when B was let in and
   * had yet to serve. Nobody serves, so A goes on with what it put aside.
   */
  'two members that wait for each other': async (scene: Scene) => {
    const before = scene.id('b');
    scene.wipe('b');
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) await scene.put('a', key);
    await scene.remove('a', before);
    scene.path('b a').slowMs = 100;
    await scene.done(scene.cluster.process('b').start());
    await scene.wait(1000);
    scene.expect(
      'b serves already',
      scene.cluster.origins.some(({ name, node }) => name === 'b' && node?.serves === false),
    );
    const joining = scene.imageOf('b');
    scene.path('b a').slowMs = 0;
    await scene.wait(1000);
    const image = scene.imageOf('a');
    await scene.delete('a', 'a2');
    await scene.wait(purgedAfterMs);
    scene.putBack('a', image);
    await scene.done(scene.cluster.process('a').start());
    const has = (line: string) => scene.oracles.trace.lines.some((other) => other.includes(line));
    for (let waited = 0; waited < 2000 && !has('a puts its store aside'); waited++) await scene.wait(1);
    scene.putBack('b', joining);
    await scene.done(scene.cluster.process('b').start());
    await scene.converge();
    scene.expect('a does not go on with what it put aside', has('a takes up the store again'));
    const shown = await scene.shows('b', 'a1');
    scene.expect(`b shows a1 as ${shown}`, shown !== 'absent');
  },
};

/**
 * C runs over its disk from before a deletion that the others purge by now, cut off from them; it alone has `b9`. It had
 * heard of the deletion before.
 */
async function putBackBehindPurge(scene: Scene): Promise<void> {
  for (const key of ['a1', 'a2', 'a3']) await scene.put('a', key);
  await scene.wait(100);
  const image = scene.imageOf('c');
  await scene.delete('a', 'a2');
  await scene.wait(purgedAfterMs - 300);
  for (const other of cutOffFromC) scene.part('c', other);
  scene.putBack('c', image);
  await scene.done(scene.cluster.process('c').start());
  await scene.put('c', 'b9');
  await scene.wait(400);
}

/** The covering property of these origins, and of all edges, again and again. */
async function looks(scene: Scene, origins: readonly string[]): Promise<void> {
  for (let look = 0; look < 40; look++) {
    await scene.wait(20);
    for (const origin of scene.cluster.origins) if (origins.includes(origin.name)) scene.oracles.checkOrigin(origin);
    for (const edge of scene.cluster.edges) scene.oracles.checkEdge(edge);
  }
}
