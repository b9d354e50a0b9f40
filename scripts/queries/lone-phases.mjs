// Faults that one node has, or a few that are there for them alone, so that the cluster goes on as it is.
import { connect } from '../../dist/client/connect.js';
import {
  alterCopy,
  canMount,
  canSetClocks,
  damageLog,
  damageRecords,
  fillDisk,
  followWithoutReading,
  mountSmall,
  WrongClock,
} from './faults.mjs';
import { pause } from './processes.mjs';

/** So many commits behind that `MeridianFollowerBehind` says so, with some to spare. */
const commitsBehind = 11_000;
/** Of the disk that fails, and of what is left of it before it does. */
const [diskBytes, leftBytes] = [32 * 2 ** 20, 2 ** 20];
/** Of the namespace `flags`; no traffic writes it again. */
export const unchangedKey = 'unchanged';
/** Prometheus reads the file that names late nodes, and has scraped them a few times. */
const scrapedMs = 6000;

/** Calls at one node, in a namespace that is made first. */
async function withNamespace({ grpc }, use) {
  const client = connect({ endpoints: [grpc], timeoutMs: 5000, sessions: false });
  try {
    await client.namespaces.create('lone').catch((error) => {
      if (error.code !== 'ALREADY_EXISTS') throw error;
    });
    return await use(client.namespace('lone'));
  } finally {
    client.close();
  }
}

/** Each commit is a write that waited for the one before. */
async function commit(namespace, count) {
  for (let n = 0; n < count; n++) await namespace.put(`key${n % 100}`, 'v');
}

async function clocksOff({ late }) {
  const clock = new WrongClock('ist');
  const ist = await late.start('origin', 'ist', [], clock.env);
  await late.start('origin', 'ank', ['--peer', ist.grpc]);
  await late.start('edge', 'izm', ['--upstream', ist.grpc, '--replicate', '*']);
  await pause(scrapedMs);
  clock.set('+120');
  await pause(scrapedMs);
}

async function followerStuck({ late }) {
  const ams = await late.start('origin', 'ams', []);
  await withNamespace(ams, async (namespace) => {
    await namespace.put('before', 'v');
    const end = followWithoutReading(ams);
    await commit(namespace, commitsBehind);
    await pause(scrapedMs);
    end();
  });
}

async function copyDiffers({ nodes: { gru } }) {
  await gru.kill();
  await alterCopy(gru, unchangedKey);
  await gru.start();
  // It looks at a part of what it holds every five seconds.
  await pause(30_000);
}

async function diskFails({ late }) {
  const unmount = mountSmall('mia', diskBytes);
  const mia = await late.start('origin', 'mia', ['--disk-reserve', '0']);
  await withNamespace(mia, async (namespace) => {
    await commit(namespace, 10);
    await pause(scrapedMs);
    fillDisk(mia, leftBytes);
    const value = new Uint8Array(100_000).fill(1);
    for (let n = 0; n < 40; n++) await namespace.put(`large${n}`, value).catch(() => {});
  });
  await pause(scrapedMs);
  await mia.kill();
  unmount();
}

async function damaged({ late }) {
  const osl = await late.start('origin', 'osl', []);
  await withNamespace(osl, (namespace) => commit(namespace, 200));
  await osl.kill();
  damageLog(osl);
  osl.flags = ['--accept-loss'];
  await osl.start();
  await pause(scrapedMs);
  await osl.kill();
  await damageRecords(osl, (key) => key.includes('key'));
  osl.flags = [];
  await osl.start();
  await withNamespace(osl, (namespace) => namespace.list().catch(() => {}));
  await pause(scrapedMs);
}

/** As `phases`, of which they are a part. */
export const lonePhases = [
  {
    name: 'clocks off',
    about: "an origin's clock jumps two minutes ahead, under a peer and an edge of it",
    alerts: ['MeridianClockOff', 'MeridianOriginClocksDiffer', 'MeridianClockJumped'],
    missing: canSetClocks ? undefined : 'libfaketime (Debian: apt-get install faketime)',
    inShort: true,
    run: clocksOff,
  },
  {
    name: 'follower stuck',
    about: `a follower reads nothing of its feed, while an origin commits ${commitsBehind} times`,
    alerts: ['MeridianFollowerBehind'],
    inShort: false,
    run: followerStuck,
  },
  {
    name: 'copy differs',
    about: 'in the copy of gru, which is stopped meanwhile, another value takes the place of one',
    alerts: ['MeridianAuditDifference'],
    inShort: false,
    run: copyDiffers,
  },
  {
    name: 'disk fails',
    about: 'the disk of an origin that keeps no reserve has no room in the middle of a commit',
    alerts: ['MeridianCommitsFail'],
    missing: canMount ? undefined : 'root on Linux, to mount a small disk',
    inShort: true,
    run: diskFails,
  },
  {
    name: 'store damaged',
    about: "bad blocks in an origin's log, which it is then started without, and bits that flip in its records",
    alerts: ['MeridianAcceptedLoss', 'MeridianDamaged'],
    inShort: true,
    run: damaged,
  },
].map((phase) => ({ ...phase, run: (cluster) => phase.run(cluster).finally(() => cluster.late.end()) }));
