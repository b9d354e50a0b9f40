import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const examples = dirname(fileURLToPath(import.meta.url));

/** They end with this process, should it end early. */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Runs an example's own configuration in workerd, with other addresses than it names: `externals` by service, and a port
 * that the machine chooses unless one is given. Resolves once it listens.
 */
export async function runWorker({ example, externals, port = 0 }) {
  // The package's own entry is the path of the program for this platform.
  const { default: program } = createRequire(import.meta.url)('workerd');
  const addresses = Object.entries(externals).map(([service, address]) => `--external-addr=${service}=${address}`);
  const args = ['serve', 'config.capnp', `--socket-addr=http=127.0.0.1:${port}`, ...addresses, '--control-fd=3'];
  const child = spawn(program, args, { cwd: join(examples, example), stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  running.add(child);
  const exited = once(child, 'exit').finally(() => running.delete(child));
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-10_000);
  });
  let text = '';
  for await (const chunk of child.stdio[3]) {
    text += chunk;
    const listening = /"event":"listen".*?"port":(\d+)/.exec(text);
    if (listening === null) continue;
    child.stdio[3].on('error', () => {});
    const stop = async () => {
      child.kill('SIGKILL');
      await exited;
    };
    return { url: `http://127.0.0.1:${listening[1]}`, stop };
  }
  throw new Error(`workerd did not start ${example}: ${complaint}`);
}
