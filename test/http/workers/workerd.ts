import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export interface WorkerSource {
  /** Name of the service and of its socket. */
  readonly name: string;
  readonly source: string;
  /** Binding → title of the namespace. */
  readonly bindings: Readonly<Record<string, string>>;
}

export interface RunningWorkerd {
  /** Name → `http://host:port`. */
  readonly urls: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

export interface WorkerdOptions {
  /** `host:port` of the Meridian node that serves every namespace. */
  readonly node: string;
  /** `host:port` of what the Workers' `fetch` reaches. */
  readonly outbound: string;
  readonly workers: readonly WorkerSource[];
}

/** Starts the real runtime on ports that the machine chooses, and waits until every Worker listens. */
export async function startWorkerd({ node, outbound, workers }: WorkerdOptions): Promise<RunningWorkerd> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-workerd-'));
  for (const { name, source } of workers) await writeFile(join(folder, `${name}.js`), source);
  await writeFile(join(folder, 'config.capnp'), configText({ node, outbound, workers }));
  // The package's own entry is the path of the program for this platform.
  const program = String(createRequire(import.meta.url)('workerd').default);
  const child = spawn(program, ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const urls = await listening(child, workers.length);
  return {
    urls,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listening(child: ChildProcess, count: number): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  let complaint = '';
  child.stderr?.on('data', (chunk) => {
    complaint += chunk;
  });
  let text = '';
  for await (const chunk of child.stdio[3] as Readable) {
    text += chunk;
    for (const match of text.matchAll(/\{[^\n]*\}\n/g)) {
      const { event, socket, port } = JSON.parse(match[0]);
      if (event === 'listen') urls.set(socket, `http://127.0.0.1:${port}`);
    }
    if (urls.size === count) return urls;
  }
  throw new Error(`workerd did not start: ${complaint}`);
}

function configText({ node, outbound, workers }: WorkerdOptions): string {
  const titles = [...new Set(workers.flatMap(({ bindings }) => Object.values(bindings)))];
  const services = [
    `(name = "internet", external = (address = "${outbound}", http = ()))`,
    ...titles.map(
      (title) =>
        `(name = "kv-${title}", external = (address = "${node}", http = (injectRequestHeaders = [` +
        `(name = "Meridian-Namespace", value = "${title}"), (name = "Authorization", value = "Bearer token")])))`,
    ),
    ...workers.map(({ name }) => `(name = "${name}", worker = .${constant(name)})`),
  ];
  const sockets = workers.map(
    ({ name }) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`,
  );
  const constants = workers.map(({ name, bindings }) => {
    const list = Object.entries(bindings).map(
      ([binding, title]) => `(name = "${binding}", kvNamespace = "kv-${title}")`,
    );
    return `const ${constant(name)} :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "${name}.js")],
  compatibilityDate = "2025-09-01",
  bindings = [${list.join(', ')}],
);`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(', ')}],
  sockets = [${sockets.join(', ')}],
);
${constants.join('\n')}
`;
}

function constant(name: string): string {
  return `${name}Worker`;
}
