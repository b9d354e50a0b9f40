import { SessionKeeper } from '../../../src/client/session-keeper.ts';
import { isMeridianError } from '../../../src/model/errors.ts';
import { emptySession } from '../../../src/model/session.ts';
import { makeStamp } from '../../../src/model/stamp.ts';
import { wallAtStartMs } from '../oracles/truth.ts';
import { purgedAfterMs, type Scene } from './scene.ts';

/** Users who take what they saw along to another node. */
export const sessions = {
  /** A write is read back at an origin that has not heard of it. */
  'a session that reads where its write has not come': async (scene: Scene) => {
    const user = new SessionKeeper(true);
    await scene.put('a', 'a1');
    await scene.wait(100);
    for (const other of ['a', 'b']) scene.part('c', other);
    user.answered(user.current, (await scene.put('a', 'a1')).session);
    const shown = await scene.shows('c', 'a1', { session: user.current });
    scene.expect(`c answers ${shown}`, shown === 'UNAVAILABLE');
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
  },

  /** The second write of a session lands at an origin whose clock is behind: it must win over the first all the same. */
  'a session that writes where the clock is behind': async (scene: Scene) => {
    const user = new SessionKeeper(true);
    for (const origin of scene.cluster.origins) origin.stepClock(origin.name === 'c' ? -25 : 25);
    await scene.wait(100);
    for (const other of ['a', 'b']) scene.part('c', other);
    user.answered(user.current, (await scene.put('a', 'a1')).session);
    await scene.put('c', 'a1', { session: user.current });
    for (const other of ['a', 'b']) scene.join('c', other);
    await scene.converge();
  },

  /** No session raises an origin's clock beyond what clocks may differ by. */
  'a session from the future': async (scene: Scene) => {
    const wallMs = wallAtStartMs + scene.time.nowMs + 5000;
    const stamp = makeStamp({ wallMs, counter: 0, log: scene.log('b') });
    const refusal = await scene.put('a', 'a1', { session: { ...emptySession, stamp } }).catch((error) => error);
    const refused = isMeridianError(refusal) && refusal.details.reason === 'session-ahead';
    scene.expect('a takes a stamp from the future', refused);
    await scene.converge();
  },

  /** What a session saw, its condition is decided on. */
  'a condition of a session that is ahead of the home': async (scene: Scene) => {
    const user = new SessionKeeper(true);
    const { written } = await scene.put('a', 'a1');
    await scene.wait(100);
    for (const other of ['b', 'c']) scene.part('a', other);
    user.answered(user.current, (await scene.put('b', 'a1')).session);
    const version = written[0]?.stamp;
    if (version === undefined) throw new Error('a put has a version');
    const condition = { kind: 'version', version } as const;
    await scene.put('a', 'a1', { condition, session: user.current }).catch(() => {});
    for (const other of ['b', 'c']) scene.join('a', other);
    await scene.converge();
  },

  /** A user saw that a key is gone, with nothing left of it, and asks where it still is. */
  'an absence that is asked for again where the key still is': async (scene: Scene) => {
    const user = new SessionKeeper(true);
    await scene.put('a', 'a1');
    await scene.wait(200);
    scene.path('copy a').cut(['there', 'back'], 'reset');
    for (const upstream of ['b', 'c']) scene.path(`copy ${upstream}`).cut(['there', 'back'], 'reset');
    await scene.delete('a', 'a1');
    await scene.wait(purgedAfterMs);
    user.answered(user.current, (await scene.get('a', 'a1')).session);
    const shown = await scene.shows('copy', 'a1', { session: user.current });
    scene.expect(`who saw that a1 is gone is shown ${shown}`, shown === 'UNAVAILABLE');
    for (const upstream of ['a', 'b', 'c']) scene.path(`copy ${upstream}`).mend();
    await scene.converge();
  },
};
