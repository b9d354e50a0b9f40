import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readConfigFile } from '../../src/config/file.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'meridian.yaml');
  writeFileSync(path, text);
  return path;
}

test('a file maps option names to values, and an empty one to nothing', async () => {
  expect(await readConfigFile(file('name: fra\nupstream:\n  - a:1\n  - b:2\n'))).toEqual({
    name: 'fra',
    upstream: ['a:1', 'b:2'],
  });
  expect(await readConfigFile(file(''))).toEqual({});
});

test('a file that is absent, no YAML or no mapping is refused in one line that names it', async () => {
  for (const path of [join(folder, 'absent.yaml'), file('a: [')]) {
    await expect(readConfigFile(path)).rejects.toThrow(/^the configuration file .* cannot be used: [^\n]+$/);
  }
  await expect(readConfigFile(file('- a\n'))).rejects.toThrow('it must be a mapping');
});

test('a number is the text that is written there, as it is on the command line', async () => {
  const text = 'name: 007\nregion: 1e3\ntoken: 12345678901234567890\nreplicate: [0123, 1.50, 0x1F, -0]\nscans-max: 4\n';
  expect(await readConfigFile(file(text))).toEqual({
    name: '007',
    region: '1e3',
    token: '12345678901234567890',
    replicate: ['0123', '1.50', '0x1F', '-0'],
    'scans-max': '4',
  });
  expect(await readConfigFile(file('insecure: true\naudit-log:\nregion: ~\n'))).toEqual({
    insecure: true,
    'audit-log': null,
    region: null,
  });
});
