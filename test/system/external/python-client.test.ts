import { spawnSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcessCluster, placeOf } from '../process-cluster.ts';

/** A Python that has grpcio and grpcio-tools: the one that PYTHON names, the first on the path, or Debian's own. */
const python = [process.env['PYTHON'] ?? 'python3', '/usr/bin/python3'].find(
  (candidate) => spawnSync(candidate, ['-c', 'import grpc, grpc_tools']).status === 0,
);
if (python === undefined) {
  console.warn('SKIPPED: needs python3-grpcio and python3-grpc-tools (or PYTHON=path of a Python that has them)');
}

const reflectionProto = 'grpc/reflection/v1alpha/reflection.proto';

describe.runIf(python !== undefined)('a client in Python', () => {
  let cluster: ProcessCluster;

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(async () => {
    await cluster.close();
  });

  function run(args: readonly string[]): void {
    const { status, stdout, stderr } = spawnSync(python ?? 'python3', [...args], { encoding: 'utf8', timeout: 60_000 });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  }

  it('puts at an origin and gets at an edge, by calls and over Pipeline, made from nothing but proto/', async () => {
    const protos = ['record', 'kv', 'cluster'].map((file) => `meridian/v1/${file}.proto`);
    const { folder } = cluster;
    const outs = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
    run(['-m', 'grpc_tools.protoc', '-Iproto', ...outs, ...protos]);
    const origin = placeOf((await cluster.start('origin', 'iad')).grpc);
    const edge = placeOf((await cluster.start('edge', 'fra', { flags: ['--upstream', origin] })).grpc);
    run(['test/system/external/python-client.py', folder, origin, edge]);
    run(['test/system/external/python-pipeline.py', folder, origin, edge]);
  });

  it('puts with an expiry and reads it back, made from nothing but what reflection tells', async () => {
    const reflection = dirname(createRequire(import.meta.url).resolve('@grpc/reflection'));
    const protos = join(reflection, '../proto');
    run(['-m', 'grpc_tools.protoc', `-I${protos}`, `--python_out=${cluster.folder}`, reflectionProto]);
    // Beside the package grpc, which is looked for first, a folder of that name would not be found.
    renameSync(join(cluster.folder, 'grpc'), join(cluster.folder, 'described'));
    const origin = placeOf((await cluster.start('origin', 'iad')).grpc);
    run(['test/system/external/python-reflection.py', cluster.folder, origin]);
  });
});
