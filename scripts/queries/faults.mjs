// What a run does to single nodes so that an alert must come true: clocks that are wrong, disks that fail or are damaged,
// a copy that differs, a follower that reads nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { feedVersions } from '../../dist/model/feed-version.js';
import { everything } from '../../dist/model/filter.js';
import { encodeOpen } from '../../dist/rpc/codec/follow-codec.js';
import { services } from '../../dist/rpc/proto.js';
import { openLevelStore } from '../../dist/store/level-store.js';
import { folder, onEnd } from './processes.mjs';

/** Where Debian and others put the library that gives a process another wall clock. */
const clockLibrary = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.']
  .map((place) => join('/usr/lib', place, 'faketime/libfaketimeMT.so.1'))
  .find((path) => existsSync(path));

export const canSetClocks = clockLibrary !== undefined;
export const canMount = process.platform === 'linux' && process.getuid() === 0;

/** The wall clock of one process, which a file moves while it runs. */
export class WrongClock {
  constructor(name) {
    this.file = join(folder, `${name}.clock`);
    this.set('+0');
    this.env = {
      LD_PRELOAD: clockLibrary,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** `+120`: two minutes ahead of the machine's. */
  set(seconds) {
    writeFileSync(this.file, seconds);
  }
}

/** Makes the data folder of a node that is yet to start a file system of its own, in memory and small; tells how to end that. */
export function mountSmall(name, bytes) {
  const place = join(folder, name);
  mkdirSync(place);
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', place]);
  if (status !== 0) throw new Error(`cannot mount a tmpfs: ${stderr}`);
  const unmount = () => spawnSync('umount', ['--lazy', place]);
  onEnd(unmount);
  return unmount;
}

/** Takes all the room of a small disk but some bytes. */
export function fillDisk(node, leftBytes) {
  const place = join(folder, node.name);
  const { bavail, bsize } = statfsSync(place);
  writeFileSync(join(place, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - leftBytes), 1));
}

const storeOf = (node, name) => join(folder, node.name, name);

/** Of an origin that is stopped: flips a bit of what it holds of these keys, so that they can no longer be read. */
export async function damageRecords(node, isMeant) {
  const raw = new ClassicLevel(storeOf(node, 'store'), { valueEncoding: 'buffer' });
  let damaged = 0;
  for await (const [key, row] of raw.iterator({ gte: 'r', lt: 's' })) {
    if (!isMeant(key)) continue;
    row[10] ^= 1;
    await raw.put(key, row);
    damaged++;
  }
  await raw.close();
  if (damaged === 0) throw new Error(`${node.name} holds none of the records that were to be damaged`);
}

/** Of an origin that is stopped: zeros in the middle of the log of its store, as a bad block leaves them. */
export function damageLog(node) {
  const store = storeOf(node, 'store');
  const file = join(
    store,
    readdirSync(store).find((name) => name.endsWith('.log')),
  );
  const content = readFileSync(file);
  const at = Math.floor(content.length / 2);
  writeFileSync(file, content.fill(0, at, at + 100));
}

/** Of an edge that is stopped: puts another value in place of the one that its copy holds of that key. */
export async function alterCopy(node, wanted) {
  const store = await openLevelStore(storeOf(node, 'copy'));
  const snapshot = store.snapshot();
  const heads = [];
  for await (const page of snapshot.records({})) heads.push(...page.filter(({ key }) => key === wanted));
  await snapshot.close();
  if (heads.length !== 1) throw new Error(`${node.name} holds ${heads.length} records of ${wanted}`);
  const record = { ...(await store.read(heads[0])), value: Buffer.from('not what was written') };
  const [held] = await store.heads(heads);
  await store.commit({ puts: [{ record, held }], removals: [], meta: new Map(), sync: true });
  await store.close();
}

/** Follows everything of a node and reads nothing of it; it tells how to end that. */
export function followWithoutReading(node) {
  const { path, requestSerialize } = services.feed.service.Follow;
  const session = connectHttp2(`http://${node.grpc}`);
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers);
  for (const each of [session, stream]) each.on('error', () => {});
  const open = encodeOpen({
    ...feedVersions,
    node: { name: 'stuck', role: 'edge', id: '5'.repeat(16), region: '' },
    nonce: 'stuck',
    role: 'copy',
    filter: everything,
    values: { kind: 'all' },
    start: { kind: 'nothing' },
  });
  const bytes = requestSerialize(open);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  stream.write(Buffer.concat([head, bytes]));
  return () => session.destroy();
}
