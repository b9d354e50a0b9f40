import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandLine } from '../fake-terminal.ts';

describe('meridian ca', () => {
  let folder: string;
  const { runWords } = commandLine();
  const ca = (...words: string[]) => runWords(['ca', ...words, '--dir', join(folder, 'ca')]);
  const certificate = (name: string) => new X509Certificate(readFileSync(join(folder, 'ca', `${name}.pem`)));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-ca-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(['Acme, Inc.', 'a+b="c" <\\>;', ' blanks ', '#1', 'Größe'])(
    'issues what a CA of the name %j vouches for',
    async (name) => {
      expect((await ca('init', `--name=${name}`)).exitCode).toBe(0);
      expect((await ca('issue', 'iad')).exitCode).toBe(0);
      expect(certificate('ca').toLegacyObject().subject.CN).toBe(name);
      expect(certificate('iad').checkIssued(certificate('ca'))).toBe(true);
    },
  );

  it('refuses a CA without a name, and one that outlasts the years of four digits', async () => {
    const unnamed = await ca('init', '--name=');
    expect([unnamed.exitCode, unnamed.notes.join()]).toEqual([2, expect.stringContaining('--name must be')]);
    for (const expires of ['3000000d', '99999999d']) {
      const { exitCode, notes } = await ca('init', '--expires', expires);
      expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining(`it is "${expires}"`)]);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a name of no file in its folder', async () => {
    await ca('init');
    const { exitCode, notes } = await ca('issue', '..');
    expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining('it is ".."')]);
    expect([readdirSync(folder), readdirSync(join(folder, 'ca'))]).toEqual([['ca'], ['ca-key.pem', 'ca.pem']]);
  });
});
