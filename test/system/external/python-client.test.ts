import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildNode } from '../../../src/cli/demo/child-node.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';

/** A Python that has grpcio and grpcio-tools: Debian's packages, or another one that PYTHON names. */
const python = process.env['PYTHON'] ?? 'python3';

function canSpeak(): boolean {
  const { status } = spawnSync(python, ['-c', 'import grpc, grpc_tools']);
  if (status !== 0) console.warn('SKIPPED: needs python3-grpcio and python3-grpc-tools (or PYTHON=path of a Python)');
  return status === 0;
}

describe.runIf(canSpeak())('a client in Python', () => {
  const nodes: ChildNode[] = [];
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-python-'));
  });

  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(role: 'origin' | 'edge', more: readonly string[] = []): Promise<string> {
    const flags = ['--data', join(folder, role), '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', ...more];
    const logPath = join(folder, `${role}.log`);
    const script = resolve('dist/cli/main.js');
    const node = await ChildNode.start({ script, role, name: role, flags, logPath, clock: systemClock });
    nodes.push(node);
    return `${node.grpc.host}:${node.grpc.port}`;
  }

  function run(args: readonly string[]): void {
    const { status, stdout, stderr } = spawnSync(python, [...args], { encoding: 'utf8', timeout: 60_000 });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  }

  it('puts at an origin and gets at an edge, made from nothing but proto/', async () => {
    const protos = ['record', 'kv', 'cluster'].map((file) => `meridian/v1/${file}.proto`);
    const outs = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
    run(['-m', 'grpc_tools.protoc', '-Iproto', ...outs, ...protos]);
    const origin = await start('origin');
    const edge = await start('edge', ['--upstream', origin]);
    run(['test/system/external/python-client.py', folder, origin, edge]);
  });
});
