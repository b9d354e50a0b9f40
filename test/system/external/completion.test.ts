import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { meridianScript, ProcessCluster, placeOf } from '../process-cluster.ts';

/** Real shells at a real terminal, which `script` makes: a person types, presses Tab, and runs what stands there. */
const interactive = {
  bash: 'bash --norc --noprofile -i',
  zsh: 'zsh -f -i',
  fish: 'fish --no-config -i',
} as const;

const setUp = {
  bash: 'source <(meridian completion bash)',
  zsh: 'autoload -U compinit && compinit -u -d $ZDOTDIR/dump && source <(meridian completion zsh)',
  fish: 'meridian completion fish | source',
} as const;

type Shell = keyof typeof interactive;

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const shells = (Object.keys(interactive) as Shell[]).filter((shell) => {
  if (has(shell) && has('script')) return true;
  console.warn(`SKIPPED: needs ${shell} and script (Debian's ${shell} and bsdutils)`);
  return false;
});

const cluster = new ProcessCluster();
const keys = ['user:1:name', 'user:2:name', 'sp ace', 'q"uote$x', 'beta'];
let env: Record<string, string | undefined>;

beforeAll(async () => {
  const origin = await cluster.start('origin', 'iad');
  const client = cluster.connect(origin);
  await client.namespaces.create('flags');
  await client.namespaces.create('Team one');
  for (const key of keys) await client.namespace('flags').put(key, `value of ${key}`);
  const bin = join(cluster.folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'meridian'), `#!/bin/sh\nexec '${process.execPath}' '${meridianScript}' "$@"\n`);
  chmodSync(join(bin, 'meridian'), 0o755);
  env = {
    ...process.env,
    ...{ PATH: `${bin}${delimiter}${process.env['PATH']}`, TERM: 'xterm', LC_ALL: 'C.UTF-8', PS1: '$ ' },
    ...{ MERIDIAN_ENDPOINT: placeOf(origin.grpc), HOME: cluster.folder, ZDOTDIR: cluster.folder },
  };
});

afterAll(() => cluster.close());

/** Colours and places of the cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
const escapes = /\u001b(\[[0-9;?<>=]*[A-Za-z]|\][^\u0007]*\u0007|[()][A-Z0-9])/g;
const killLine = '\u0015';

/** What is written at a terminal, and what it shows. */
class Typing {
  readonly #child: ChildProcess;
  #shown = '';

  constructor(shell: Shell) {
    this.#child = spawn('script', ['-qfec', interactive[shell], '/dev/null'], { env, cwd: cluster.folder });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#shown = (this.#shown + chunk.toString()).replace(escapes, '');
    });
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits for it behind what was seen before. */
  async see(text: string | RegExp): Promise<void> {
    const pattern = typeof text === 'string' ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : text;
    await expect.poll(() => pattern.exec(this.#shown) !== null || this.#shown, { timeout: 30_000 }).toBe(true);
    const found = pattern.exec(this.#shown);
    this.#shown = this.#shown.slice((found?.index ?? 0) + (found?.[0].length ?? 0));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

describe.each(shells)('%s', (shell) => {
  let typing: Typing;

  afterEach(() => typing.close());

  it('completes commands, options, namespaces and keys of any letters, which then are what the command gets', async () => {
    typing = new Typing(shell);
    typing.type(`${setUp[shell]}; echo rea""dy\n`);
    await typing.see('ready');
    typing.type('meridian lis\t');
    await typing.see('list');
    typing.type('fla\t');
    await typing.see('flags');
    typing.type('\n');
    await typing.see('user:2:name');
    for (const [typed, key] of [
      ['be', 'beta'],
      ['user:2', 'user:2:name'],
      ['sp', 'sp ace'],
      ['q', 'q"uote$x'],
    ]) {
      typing.type(`meridian get flags ${typed}\t`);
      // The value is shown only where the whole key stands in the line.
      typing.type('\n');
      await typing.see(`value of ${key}`);
    }
    typing.type('meridian namespace home Te\t\n');
    await typing.see(/(^|[^0-9a-f])[0-9a-f]{16}[^0-9a-f]/);
    typing.type('meridian put flags k v --durability maj\t; echo co""mpleted\n');
    await typing.see(/[0-9a-f]{32}.*completed/s);
  });

  it('shows several, and is silent where nobody answers', async () => {
    typing = new Typing(shell);
    typing.type(`${setUp[shell]}; echo rea""dy\n`);
    await typing.see('ready');
    typing.type('meridian get flags user:\t\t');
    await typing.see(/1:name.*2:name/s);
    typing.type(killLine);
    typing.type('meridian get --endpoint 127.0.0.1:1 flags \t');
    typing.type('x; echo go""es on\n');
    await typing.see('UNAVAILABLE');
    await typing.see('goes on');
  });
});
