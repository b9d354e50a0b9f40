// The processes of a run: nodes as a user starts them, a Prometheus beside them, and a folder; all go together.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const meridian = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const startMs = 60_000;

export const folder = mkdtempSync(join(tmpdir(), 'meridian-queries-'));
const running = new Set();
const endings = [];

/** Nobody listens there now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a command of Meridian to its end, and tells what it printed. */
export function command(words, env = {}) {
  return execFileSync(process.execPath, [meridian, ...words], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  }).trim();
}

/** A node whose ports stay the same over its restarts. */
export class Node {
  constructor({ role, name, flags = [], scheme = 'http', env = {}, ports }) {
    Object.assign(this, { role, name, flags, scheme, env, ports });
  }

  static async of(options) {
    return new Node({ ...options, ports: [await freePort(), await freePort()] });
  }

  get grpc() {
    return `127.0.0.1:${this.ports[0]}`;
  }

  get http() {
    return `127.0.0.1:${this.ports[1]}`;
  }

  /** Resolves once it serves. */
  async start() {
    const places = ['--listen', this.grpc, '--http', this.http, '--data', join(folder, this.name)];
    const words = [meridian, this.role, '--name', this.name, ...places, ...this.flags];
    this.process = spawn(process.execPath, words, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.env },
    });
    running.add(this.process);
    const lines = createInterface({ input: this.process.stderr });
    await new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`${this.name} ${what}: ${last}`));
      const late = setTimeout(() => fail(`does not serve after ${startMs} ms`), startMs);
      let last = '';
      this.process.once('exit', () => fail('ended'));
      lines.on('line', (line) => {
        last = line;
        if (!line.includes('"message":"serving"')) return;
        clearTimeout(late);
        resolve();
      });
    });
    return this;
  }

  signal(name) {
    this.process.kill(name);
  }

  async kill() {
    await end(this.process, 'SIGKILL');
  }
}

/** Nodes that are there for one phase alone. Prometheus finds them by a file. */
export class LateNodes {
  file = join(folder, 'late.json');
  nodes = [];

  constructor() {
    this.#tell();
  }

  async start(role, name, flags, env) {
    const node = await Node.of({ role, name, flags, env });
    await node.start();
    this.nodes.push(node);
    this.#tell();
    return node;
  }

  /** With their data, so that the phase can come again. */
  async end() {
    const ended = this.nodes.splice(0);
    this.#tell();
    for (const node of ended) await node.kill();
    for (const { name } of ended) rmSync(join(folder, name), { recursive: true, force: true });
  }

  #tell() {
    writeFileSync(this.file, JSON.stringify(this.nodes.map(targetOf)));
  }
}

/** As Prometheus is told of a node. */
export function targetOf({ http, name, role }) {
  return { targets: [http], labels: { node: name, role, job: 'meridian' } };
}

/** Tells the address of its API. */
export async function startPrometheus(config) {
  const address = `127.0.0.1:${await freePort()}`;
  const words = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=${address}`,
  ];
  const prometheus = spawn('prometheus', words, { stdio: 'ignore' });
  running.add(prometheus);
  for (const deadline = Date.now() + startMs; ; await pause(200)) {
    const isReady = await fetch(`http://${address}/-/ready`)
      .then(({ ok }) => ok)
      .catch(() => false);
    if (isReady) return `http://${address}`;
    if (Date.now() > deadline) throw new Error(`Prometheus is not ready after ${startMs} ms`);
  }
}

async function end(child, signal) {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Runs before the folder goes. */
export function onEnd(run) {
  endings.push(run);
}

/** Also what was stopped by a signal ends by SIGKILL. */
export async function endAll() {
  await Promise.all([...running].map((child) => end(child, 'SIGKILL')));
  for (const run of endings) run();
  rmSync(folder, { recursive: true, force: true });
}
