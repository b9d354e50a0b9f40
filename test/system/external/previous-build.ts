import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface PreviousBuild {
  /** What it was built of: a tag, or the beginning of a commit's id. */
  readonly name: string;
  /** The file of its command. */
  readonly script: string;
}

/**
 * The command as it was one version ago: of the commit that PREVIOUS_COMMIT names, else of the last release's tag, else of
 * the commit before this one, built with the packages that are installed here. Kept beside the machine's temporary files.
 * Undefined, with a loud line that says why, where the history is not there.
 */
export function previousBuild(): PreviousBuild | undefined {
  const root = resolve('.');
  const git = (...words: readonly string[]) => {
    const ran = spawnSync('git', ['-C', root, ...words], { encoding: 'utf8' });
    return ran.status === 0 ? ran.stdout.trim() : undefined;
  };
  const tag = git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD');
  const name = process.env['PREVIOUS_COMMIT'] ?? tag ?? 'HEAD~1';
  const commit = git('rev-parse', '--verify', '--quiet', `${name}^{commit}`);
  if (commit === undefined) {
    console.warn(`SKIPPED: needs git and the commit ${name}, which a shallow clone does not have`);
    return undefined;
  }
  const folder = join(tmpdir(), `meridian-build-${commit.slice(0, 12)}`);
  const script = join(folder, 'dist/cli/main.js');
  if (!existsSync(script)) build(root, commit, folder);
  return { name: name === 'HEAD~1' ? commit.slice(0, 12) : name, script };
}

/** Builds aside and moves into place: two test runs at once do not spoil each other's. */
function build(root: string, commit: string, folder: string): void {
  const aside = mkdtempSync(`${folder}-`);
  try {
    const archive = spawnSync('git', ['-C', root, 'archive', '--format=tar', commit], { maxBuffer: 512 * 1024 * 1024 });
    run('tar', ['-x', '-C', aside], archive.stdout);
    symlinkSync(join(root, 'node_modules'), join(aside, 'node_modules'), 'dir');
    run('npm', ['--prefix', aside, 'run', '--silent', 'build']);
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], input?: Buffer): void {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 240_000,
    ...(input === undefined ? {} : { input }),
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
}
