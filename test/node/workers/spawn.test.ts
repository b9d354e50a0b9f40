import cluster from 'node:cluster';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spawner } from '../../../src/node/workers/spawn.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-spawn-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function scriptOf(text: string): URL {
  const path = join(folder, 'part.mjs');
  writeFileSync(path, text);
  return pathToFileURL(path);
}

const brokenPipe = () => new Error('write EPIPE');

describe('spawner', () => {
  it('takes a message of node:cluster that does not reach a worker for nothing else than the end of that worker', async () => {
    const worker = spawner(scriptOf("process.on('message', () => {});"))({ role: 'worker', number: 1 });
    const { process: child } =
      Object.values(cluster.workers ?? {}).find((each) => each?.process.pid === worker.pid) ?? {};
    // As it is emitted when the primary opens a listener for a worker that is being ended.
    expect(child?.emit('error', brokenPipe())).toBe(true);
    expect(child?.emit('error', brokenPipe())).toBe(true);
    expect(await Promise.race([worker.ended, Promise.resolve('runs')])).toBe('runs');
    worker.kill();
    expect(await worker.ended).toBe('SIGKILL');
    expect(child?.emit('error', brokenPipe())).toBe(true);
  });

  it('makes as many processes as an edge may have, and nobody is warned of that', async () => {
    const warned: string[] = [];
    const warn = ({ message }: Error) => void warned.push(message);
    process.on('warning', warn);
    const spawn = spawner(scriptOf("process.on('message', () => {});"));
    const keepers = Array.from({ length: 12 }, () => spawn({ role: 'keeper' }));
    await new Promise((resolve) => setImmediate(resolve));
    for (const { kill } of keepers) kill();
    await Promise.all(keepers.map(({ ended }) => ended));
    process.off('warning', warn);
    expect(warned).toEqual([]);
  });

  it('breaks a connection that it handed to a worker which ended before it took it', async () => {
    const serve =
      "import { createServer } from 'node:http';" +
      "createServer((_, to) => to.end('served')).listen(0, '127.0.0.1', function () { process.send({ kind: this.address().port }); });";
    const worker = spawner(scriptOf(serve))({ role: 'worker', number: 1 });
    const port = await new Promise<unknown>((resolve) => worker.onMessage(({ kind }) => resolve(kind)));
    const ask = () =>
      fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) }).then(
        (answer) => answer.text(),
      );
    expect(await ask()).toBe('served');
    process.kill(worker.pid, 'SIGSTOP');
    const broken = ask().then(
      () => 'answered',
      ({ name }: Error) => (name === 'TimeoutError' ? 'waits' : 'broken'),
    );
    await new Promise((resolve) => setTimeout(resolve, 200)); // Until it was handed over.
    worker.kill();
    await worker.ended;
    expect(await broken).toBe('broken');
  });

  it('says what ended a process', async () => {
    const keeper = spawner(scriptOf('process.exitCode = 3;'))({ role: 'keeper' });
    expect(await keeper.ended).toBe('exit code 3');
  });
});
