import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, commandLine } from '../fake-terminal.ts';

describe('what is no regular file', () => {
  let folder: string;
  let fifo: string;
  let line: CommandLine;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-stream-'));
    fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    line = commandLine();
    for (const key of ['a', 'b']) await line.run(`put flags ${key} ${key.repeat(100_000)}`);
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  async function readAll(path: string): Promise<string> {
    let text = '';
    for await (const chunk of createReadStream(path, 'utf8')) text += chunk;
    return text;
  }

  it('takes an export: a device, standard output by each of its names, and nothing is put beside it', async () => {
    const plain = (await line.run('export flags')).output;
    expect(plain.split('\n')).toHaveLength(3);
    expect(await line.run('export flags --output /dev/null')).toMatchObject({ exitCode: 0, output: '' });
    for (const name of ['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']) {
      expect(await line.runWords(['export', 'flags', '--output', name])).toMatchObject({ exitCode: 0, output: plain });
    }
    const csv = (await line.run('export flags --format csv')).output;
    expect((await line.run('export flags --format csv --output /dev/stdout')).output).toBe(csv);
  });

  it('takes an export once it is read: a FIFO, as its name ends', async () => {
    const exporting = line.runWords(['export', 'flags', '--output', fifo]);
    const read = await readAll(fifo);
    expect(await exporting).toMatchObject({ exitCode: 0, notes: ['2 records exported'] });
    expect(read).toBe((await line.run('export flags')).output);
    expect(readdirSync(folder)).toEqual(['fifo']);
    execFileSync('mkfifo', [`${fifo}.csv`]);
    const asCsv = line.runWords(['export', 'flags', '--output', `${fifo}.csv`]);
    expect(await readAll(`${fifo}.csv`)).toMatch(/^key,value/);
    await asCsv;
  });

  it('ends an export where nobody reads any more, and says so', async () => {
    const exporting = line.runWords(['export', 'flags', '--output', fifo]);
    const reader = createReadStream(fifo, { highWaterMark: 10 });
    await once(reader, 'data');
    reader.destroy();
    expect(await exporting).toMatchObject({
      exitCode: 1,
      notes: ['meridian: UNAVAILABLE: --output cannot be written: write EPIPE'],
    });
  });

  it('keeps no command that is stopped: a FIFO without a reader, one whose reader stands still, one without a writer', async () => {
    for (const [words, reads] of [
      [['export', 'flags', '--output', fifo], false],
      [['export', 'flags', '--output', fifo], true],
      [['import', 'flags', fifo, '--format', 'ndjson'], false],
      [['diff', 'flags', fifo, '--format', 'ndjson'], false],
      [['put', 'flags', 'k', '--file', fifo], false],
    ] as const) {
      const stopping = commandLine();
      await stopping.run(`put flags a ${'a'.repeat(1_000_000)}`);
      const running = stopping.runWords(words);
      const reader = reads ? createReadStream(fifo, { highWaterMark: 10 }) : undefined;
      if (reader !== undefined) await once(reader, 'readable');
      stopping.stop.abort(new Error('stopped'));
      expect((await running).exitCode, words.join(' ')).not.toBe(0);
      reader?.destroy();
    }
  });

  it('is imported, compared and put as a file is', async () => {
    const text = (await line.run('export flags')).output;
    const through = async (words: readonly string[]) => {
      const running = line.runWords(words);
      createWriteStream(fifo).end(text);
      return running;
    };
    expect(await through(['import', 'copied', fifo, '--format', 'ndjson'])).toMatchObject({
      ...{ exitCode: 0, output: '2 records imported\n' },
    });
    expect((await line.run('export copied')).output).toBe(text);
    expect((await through(['diff', 'copied', fifo, '--format', 'ndjson'])).exitCode).toBe(0);
    await through(['put', 'copied', 'k', '--file', fifo]);
    expect((await line.run('get copied k')).output).toBe(text);
    expect(readdirSync(folder)).toEqual(['fifo']);
    const skipping = await line.runWords(['import', 'copied', fifo, '--format', 'ndjson', '--on-error', 'skip']);
    expect(skipping.notes).toEqual([`meridian: --on-error skip of ${fifo} needs --skipped`]);
  });
});
