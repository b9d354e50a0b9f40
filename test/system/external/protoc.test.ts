import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeFile, readFiles } from '../../../src/rpc/file-descriptors.ts';
import { protoFiles } from '../../../src/rpc/proto.ts';

const hasProtoc = spawnSync('protoc', ['--version']).status === 0;
if (!hasProtoc) console.warn('SKIPPED: needs protoc (protobuf-compiler)');

/** What protoc makes of one file: a FileDescriptorSet, whose only field is 1. */
function protocOf(name: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-protoc-'));
  try {
    const out = join(folder, 'set.bin');
    execFileSync('protoc', ['-Iproto', `-o${out}`, name]);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function asSet(file: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = file.length; rest > 0; rest >>>= 7) length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.from([0x0a, ...length]), file]);
}

describe.runIf(hasProtoc)('the descriptors that reflection tells', () => {
  it.each(readFiles(protoFiles))('are those of protoc, to the byte: $name', (file) => {
    expect(asSet(encodeFile(file)).equals(protocOf(file.name))).toBe(true);
  });
});
