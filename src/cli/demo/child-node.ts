import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Address } from '../../config/option.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface ChildNodeOptions {
  /** What Node.js runs: the file of the command `meridian`. */
  readonly script: string;
  readonly role: 'origin' | 'edge';
  readonly name: string;
  /** Flags of `meridian origin` or `meridian edge`. */
  readonly flags: readonly string[];
  /** Takes the node's log lines. */
  readonly logPath: string;
  readonly clock: Clock;
  /** Joins the environment that the node inherits. */
  readonly env?: Readonly<Record<string, string>>;
}

const startMsMax = 30_000;
const stopMsMax = 15_000;

/** A node in a process of its own. */
export class ChildNode {
  readonly grpc: Address;
  readonly http: Address;
  /** Of a node with a Redis listener. */
  readonly redis: Address | undefined;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #clock: Clock;

  private constructor(process: ChildProcess, exited: Promise<void>, clock: Clock, at: Serving) {
    this.#process = process;
    this.#exited = exited;
    this.#clock = clock;
    this.grpc = parsePlace(at.grpc);
    this.http = parsePlace(at.http);
    this.redis = at.redis === undefined ? undefined : parsePlace(at.redis);
  }

  /** Resolves once the node serves, as its log says. @throws UNAVAILABLE with its last words where it ends before */
  static async start(options: ChildNodeOptions): Promise<ChildNode> {
    const { script, role, name, flags, clock } = options;
    const child = spawn(process.execPath, [script, role, '--name', name, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    const orphaned = () => child.kill('SIGKILL');
    process.once('exit', orphaned);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', resolve);
      child.on('error', () => resolve());
    }).finally(() => process.off('exit', orphaned));
    try {
      return new ChildNode(child, exited, clock, await serving(child, options));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Of the process; 0 where it never was one. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** `null` while it runs, and where a signal ended it. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** SIGTERM or as told, and SIGKILL to one that takes too long. Resolves with the exit code; null = killed. */
  async stop(signal: 'SIGTERM' | 'SIGHUP' = 'SIGTERM'): Promise<number | null> {
    this.#process.kill(signal);
    const late = this.#clock.timer(stopMsMax, () => this.#process.kill('SIGKILL'));
    await this.#exited;
    late.cancel();
    return this.#process.exitCode;
  }

  /** SIGKILL: what a power cut looks like to everyone else. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}

interface Serving {
  readonly grpc: string;
  readonly http: string;
  readonly redis?: string;
}

/** Reads the node's log for the line that says where it serves; the log goes on into its file. */
function serving(child: ChildProcess, options: ChildNodeOptions): Promise<Serving> {
  const { name, clock, logPath } = options;
  const file = createWriteStream(logPath, { flags: 'a' });
  let lastLine = '';
  return new Promise((resolve, reject) => {
    const fail = (what: string) =>
      reject(new MeridianError('UNAVAILABLE', `${name} ${what}: ${lastLine}`, { reason: 'node-not-started' }));
    const late = clock.timer(startMsMax, () => fail(`does not serve after ${startMsMax / 1000} s`));
    if (child.stderr === null) return fail('has no log');
    const lines = createInterface({ input: child.stderr });
    // What it wrote may still stand in the pipe when it has ended, its last words among it.
    lines.once('close', () => {
      late.cancel();
      file.end();
      fail('ended');
    });
    lines.on('line', (line) => {
      lastLine = line;
      file.write(`${line}\n`);
      const found = servingLine(line);
      if (found === undefined) return;
      late.cancel();
      resolve(found);
    });
  });
}

function servingLine(line: string): Serving | undefined {
  if (!line.startsWith('{')) return undefined;
  const { message, ...at } = JSON.parse(line) as { message: string } & Serving;
  return message === 'serving' ? at : undefined;
}

function parsePlace(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
