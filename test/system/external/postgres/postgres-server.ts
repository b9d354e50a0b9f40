import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../support/free-port.ts';

export interface PostgresServer {
  readonly port: number;
  readonly folder: string;
  /** `postgres://…` of its database, with these parameters. */
  url(parameters?: string): string;
  /** Of another port, a proxy's say. */
  urlAt(port: number, parameters?: string): string;
  /** Kills it as a power cut of the process does, and every backend with it. */
  kill(): Promise<void>;
  /** Starts it again over the same data, after `kill`. */
  start(): Promise<void>;
  /** Runs one of PostgreSQL's own programs as the server's user. */
  run(program: string, args: readonly string[]): string;
  /** What a statement says, as text, one line a row. */
  sql(text: string): string;
  remove(): Promise<void>;
}

/** Names another server's programs, at the least initdb and postgres. Its clients may be older ones. */
const binVariable = 'POSTGRES_BIN';

/** Folders of programs, those of the server first: the named one, and the newest PostgreSQL that Debian has installed. */
function binFolders(): readonly string[] {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const named = process.env[binVariable];
  const folders = versions.map((version) => join(root, version, 'bin'));
  return named === undefined ? folders.filter((folder) => existsSync(join(folder, 'initdb'))) : [named, ...folders];
}

/** @throws where there is no such program */
function programIn(folders: readonly string[], program: string): string {
  const found = folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`there is no ${program} in ${folders.join(', ')}`);
  return found;
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
function serverUser(): { readonly uid?: number; readonly gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** False, with a loud line that says why, where no server can be started. */
export function hasPostgres(): boolean {
  if (binFolders().length > 0 && serverUser() !== undefined) return true;
  console.warn(`SKIPPED: needs a PostgreSQL server (Debian's postgresql, or another one's programs in ${binVariable})`);
  return false;
}

/** The same where no replica can be made of one: that takes a program of the server's own version. */
export function hasReplicas(): boolean {
  if (!hasPostgres()) return false;
  if (existsSync(join(binFolders()[0] ?? '', 'pg_basebackup'))) return true;
  console.warn(`SKIPPED: needs pg_basebackup beside the server's programs in ${binVariable}`);
  return false;
}

const readyMs = 20_000;

/** A server of its own in a temporary folder. `settings` go to its command line. */
export async function startPostgres(
  settings: readonly string[] = [],
  prepare?: (folder: string, run: PostgresServer['run']) => void,
): Promise<PostgresServer> {
  const folders = binFolders();
  const user = serverUser();
  if (folders.length === 0 || user === undefined) throw new Error('no PostgreSQL: ask hasPostgres first');
  const folder = mkdtempSync(join(tmpdir(), 'meridian-postgres-'));
  chmodSync(folder, 0o755);
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  const run: PostgresServer['run'] = (program, args) =>
    execFileSync(programIn(folders, program), args, { ...user, cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  if (prepare === undefined) run('initdb', ['-D', data, '-U', 'meridian', '--auth=trust', '-E', 'UTF8', '--locale=C']);
  else prepare(data, run);
  let child: ChildProcess | undefined;
  const isUp = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(socket.destroy() !== undefined));
      socket.once('error', () => resolve(false));
    });
  const accepts = async () => {
    if (!(await isUp())) return false;
    try {
      run('pg_isready', ['-h', '127.0.0.1', '-p', String(port), '-q']);
      return true;
    } catch {
      return false;
    }
  };
  const start = async () => {
    const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder];
    child = spawn(programIn(folders, 'postgres'), [...args, ...settings.flatMap((setting) => ['-c', setting])], {
      ...user,
      cwd: folder,
      stdio: 'ignore',
    });
    const untilMs = performance.now() + readyMs;
    while (!(await accepts())) {
      if (performance.now() > untilMs) throw new Error('the PostgreSQL server does not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const stop = async (signal: NodeJS.Signals) => {
    const stopped = child;
    if (stopped === undefined || stopped.exitCode !== null || stopped.signalCode !== null) return;
    const ended = new Promise((resolve) => stopped.once('exit', resolve));
    stopped.kill(signal);
    await ended;
  };
  await start();
  const urlAt = (at: number, parameters = '') => `postgres://meridian@127.0.0.1:${at}/postgres${parameters}`;
  return {
    port,
    folder,
    url: (parameters) => urlAt(port, parameters),
    urlAt,
    kill: () => stop('SIGKILL'),
    start,
    run,
    sql: (text) =>
      run('psql', ['-h', '127.0.0.1', '-p', String(port), '-U', 'meridian', '-d', 'postgres', '-XqAtc', text]).trim(),
    remove: async () => {
      await stop('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
