// The cluster of a run, and what happens to it: traffic over every protocol, then faults, one after another.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect } from '../../dist/client/connect.js';
import { lonePhases, unchangedKey } from './lone-phases.mjs';
import { command, folder, freePort, LateNodes, Node, pause, targetOf } from './processes.mjs';

const adminToken = createHash('sha256').update(folder).digest('hex');

/** Of what fills the disk for a while. */
const ballastBytes = 4 * 2 ** 30;

function freeBytes() {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Two origins, a copy, a relay's cache below it, and nodes that are each there for what only they show. */
export async function startCluster() {
  const [redisPort, nowhere] = [await freePort(), await freePort()];
  const short = ['--tombstone-retention', '2s'];
  const nodes = {};
  const start = async (role, name, flags, scheme) => {
    nodes[name] = await (await Node.of({ role, name, flags, scheme })).start();
  };
  await start('origin', 'iad', short);
  await start('origin', 'lhr', [...short, '--peer', nodes.iad.grpc]);
  await start('edge', 'fra', ['--upstream', nodes.iad.grpc, '--replicate', '*', ...short]);
  // It cannot keep all that is read of it, so it evicts; it has few connections for strangers.
  const small = [
    '--cache-memory',
    '64KiB',
    '--cache-disk',
    '256KiB',
    '--max-staleness',
    '2s',
    '--stale-if-error',
    '0s',
  ];
  const redis = ['--redis', `127.0.0.1:${redisPort}`, '--connections-max', '64'];
  await start('edge', 'sin', ['--upstream', nodes.fra.grpc, ...small, ...redis]);
  await start('edge', 'gru', ['--upstream', nodes.lhr.grpc, '--replicate', '*']);
  // It never finds its upstream.
  await start('edge', 'lost', ['--upstream', `127.0.0.1:${nowhere}`]);
  await start('origin', 'full', []);
  await start('origin', 'safe', await secure(), 'https');
  for (const { grpc } of [nodes.iad, nodes.full]) command(['namespace', 'create', 'flags', '--endpoint', grpc]);
  const access = ['--endpoint', nodes.safe.grpc, '--tls-ca', join(folder, 'ca/ca.pem')];
  command(['token', 'create', '--name', 'app', '--rights', 'read', '--expires', '1d', ...access], {
    MERIDIAN_TOKEN: adminToken,
  });
  await putUnchanged(nodes.iad);
  return { nodes, redisPort, late: new LateNodes() };
}

/** What no traffic writes again. */
async function putUnchanged({ grpc }) {
  const client = connect({ endpoints: [grpc] });
  await client.namespace('flags').put(unchangedKey, 'v');
  client.close();
}

/** Tokens, and a certificate that does not last for long. */
async function secure() {
  const [ca, tokenFile] = [join(folder, 'ca'), join(folder, 'admin-token')];
  writeFileSync(tokenFile, adminToken);
  command(['ca', 'init', '--dir', ca]);
  command(['ca', 'issue', 'safe', '--dir', ca, '--expires', '40s']);
  return [
    ...['--admin-token-file', tokenFile, '--token-file', tokenFile],
    ...['--tls-cert', join(ca, 'safe.pem'), '--tls-key', join(ca, 'safe-key.pem'), '--tls-ca', join(ca, 'ca.pem')],
  ];
}

/** What Prometheus scrapes. */
export function scrapeConfigs({ nodes, late }) {
  const targets = (scheme) =>
    Object.values(nodes)
      .filter((node) => node.scheme === scheme)
      .map(targetOf);
  return [
    { job_name: 'plain', static_configs: targets('http'), file_sd_configs: [{ files: [late.file] }] },
    {
      job_name: 'secure',
      scheme: 'https',
      tls_config: { insecure_skip_verify: true },
      authorization: { credentials: adminToken },
      static_configs: targets('https'),
    },
  ];
}

/** Calls of every kind until it is told to stop. What fails is what the run is about. */
export class Traffic {
  constructor({ nodes, redisPort }) {
    this.nodes = nodes;
    this.redisPort = redisPort;
    this.round = 0;
    this.stopped = false;
    this.clients = Object.fromEntries(
      Object.entries(nodes)
        .filter(([name]) => name !== 'safe')
        .map(([name, { grpc }]) => [name, connect({ endpoints: [grpc], timeoutMs: 1000, sessions: false })]),
    );
    this.done = this.run();
  }

  async run() {
    while (!this.stopped) await Promise.allSettled([this.once(), pause(100)]);
  }

  async stop() {
    this.stopped = true;
    await this.done;
    for (const client of Object.values(this.clients)) client.close();
  }

  async once() {
    const round = this.round++;
    const flags = (name) => this.clients[name].namespace('flags');
    const keys = Array.from({ length: 20 }, (_, index) => `key${index + 20 * (round % 20)}`);
    await Promise.allSettled([
      // Both at once, so that one loses.
      ...['iad', 'lhr'].map((name) => flags(name).put('same', `${name} ${round}`)),
      ...keys.map((key) => flags('iad').put(key, 'v'.repeat(4000))),
      flags('iad').put('same', 'c', { ifAbsent: true }),
      flags('iad').put(`short${round}`, 'v', { expirationTtl: 1 }),
      flags('lhr').delete(`key${round % 400}`),
      flags('full').put('k', 'v'),
      flags('lost').get('k'),
      flags('lost').put('k', 'v'),
    ]);
    const reads = keys.flatMap((key) => ['fra', 'sin', 'gru'].map((name) => flags(name).get(key)));
    const misses = Array.from({ length: 8 }, () => flags('sin').get(`miss${round}`));
    await Promise.allSettled([...reads, ...misses, this.http(round), this.redis(round)]);
  }

  async http(round) {
    const { http } = this.nodes.sin;
    const base = `http://${http}/client/v4/accounts/any/storage/kv/namespaces`;
    const { result } = await (await fetch(base)).json();
    const [{ id }] = result.filter(({ title }) => title === 'flags');
    await fetch(`${base}/${id}/values/http${round % 10}`, { method: 'PUT', body: 'v' });
    await fetch(`${base}/${id}/values/http${round % 10}`);
    await fetch(`${base}/${id}/values/none`);
    // What is no HTTP is turned away.
    await said(http, 'no request\r\n\r\n');
  }

  async redis(round) {
    const place = `127.0.0.1:${this.redisPort}`;
    await said(place, `AUTH flags any\r\nSET redis${round % 10} v\r\nGET redis${round % 10}\r\nNOTHING\r\nQUIT\r\n`);
  }
}

/** Says it, and waits until the other side is done with it. */
function said(place, text) {
  const [host, port] = place.split(':');
  return new Promise((resolve) => {
    const socket = connectTcp(Number(port), host, () => socket.write(text));
    const late = setTimeout(() => socket.destroy(), 500);
    socket.resume().once('error', resolve);
    socket.once('close', () => {
      clearTimeout(late);
      resolve();
    });
  });
}

/** Opens more connections than a node has for strangers, again and again. */
async function crowd(node, ms) {
  const [host, port] = node.http.split(':');
  for (const endMs = Date.now() + ms; Date.now() < endMs; ) {
    const sockets = Array.from({ length: 300 }, () =>
      connectTcp(Number(port), host)
        .on('error', () => {})
        .resume(),
    );
    await pause(400);
    for (const socket of sockets) socket.destroy();
    // Else nobody would measure it: scrapes have no more room than others.
    await pause(1600);
  }
}

/**
 * In order; each is over when it resolves. `alerts`: those that have to come true in it. `inShort`: also where the run is to
 * be short. `missing`: what this machine lacks, so that it is left out.
 */
export const phases = [
  {
    name: 'traffic',
    about: 'all is well',
    alerts: [
      'MeridianDown',
      'MeridianNotReady',
      'MeridianErrors',
      'MeridianCertificateExpires',
      'MeridianTokenExpires',
    ],
    inShort: true,
    run: () => pause(12_000),
  },
  {
    name: 'overload',
    about: 'strangers open more connections than a node has',
    alerts: ['MeridianOverload'],
    inShort: true,
    run: ({ nodes: { sin } }) => crowd(sin, 9000),
  },
  {
    name: 'disk full',
    about: 'something else takes the room that a node has left',
    alerts: ['MeridianReadOnly', 'MeridianDiskFull', 'MeridianDiskNearlyFull'],
    inShort: true,
    run: async ({ nodes: { full } }) => {
      const ballast = join(folder, 'ballast');
      await full.kill();
      full.flags = ['--disk-reserve', String(freeBytes() - ballastBytes / 4)];
      await full.start();
      execFileSync('fallocate', ['-l', String(ballastBytes), ballast]);
      await pause(9000);
      rmSync(ballast);
    },
  },
  {
    name: 'edge down',
    about: 'gru is killed, and starts again',
    alerts: ['MeridianFollowerGone', 'MeridianCertificateExpired'],
    inShort: true,
    run: async ({ nodes: { gru } }) => {
      await gru.kill();
      await pause(15_000);
      await gru.start();
      await pause(3000);
    },
  },
  {
    name: 'origin cut',
    about: 'iad answers nobody for 95 s, and lhr restarts meanwhile',
    alerts: [
      'MeridianStale',
      'MeridianNotLive',
      'MeridianPeerSilent',
      'MeridianLogUnsealed',
      'MeridianTombstonesWaiting',
    ],
    inShort: false,
    run: async ({ nodes: { iad, lhr } }) => {
      iad.signal('SIGSTOP');
      await pause(25_000);
      await lhr.kill();
      await lhr.start();
      await pause(70_000);
      iad.signal('SIGCONT');
    },
  },
  ...lonePhases,
  { name: 'back again', about: 'all is well again', alerts: [], inShort: true, run: () => pause(8000) },
];
