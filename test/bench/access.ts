/**
 * What do a token and TLS cost a hot get? The same node, 1 KiB values, 1,000 keys, through the TypeScript client: with
 * neither, with tokens, with TLS, and with both; over Pipeline, and by a call for each get. The processor's time that the
 * node spends on a get is what carries over: how many it answers depends on what else the machine does.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate } from '../../src/access/gate.ts';
import { hashOfToken, newToken } from '../../src/access/token-text.ts';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { type ClusterHandle, connect } from '../../src/client/connect.ts';
import type { GetAnswer } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { placeOf, startNode } from './support/meridian-nodes.ts';

const adminToken = 'the-administrator-of-the-bench';
const keys = Array.from({ length: 1000 }, (_, i) => `key-${String(i).padStart(8, '0')}`);
const keyAt = (n: number) => keys[(n * 7919) % keys.length] ?? '';
const value = Buffer.alloc(1024, 0x78);
const authority = new TestAuthority();

interface Measured {
  readonly name: string;
  readonly node: ChildNode;
  readonly get: (n: number) => Promise<unknown>;
}

await runBench('Hot get at an origin, 1 KiB, with and without tokens and TLS', async (run) => {
  const { figures, runs, durationMs } = run;
  const all: Measured[] = [];
  for (const [name, asksForTokens, speaksTls] of [
    ['plain', false, false],
    ['token', true, false],
    ['TLS', false, true],
    ['token and TLS', true, true],
  ] as const) {
    all.push(...(await openNode(run, name, { asksForTokens, speaksTls })));
  }
  for (const { get } of all) await drive(get, { inFlight: 64, durationMs: 1000 });
  const gate = gateAlone();
  for (let round = 0; round < runs; round++) {
    figures.add('entering with a token, as each call does', 'µs', processorUsOf(gate.enter));
    figures.add(
      'checking a get, as each operation does',
      'µs',
      processorUsOf(gate.checkedPeek) - processorUsOf(gate.peek),
    );
  }
  for (let round = 0; round < runs; round++) {
    for (const { name, node, get } of all) {
      let gets = 0;
      const counted = (n: number) => {
        gets++;
        return get(n);
      };
      const beforeMs = processorMsOf(node);
      const driven = await drive(counted, { inFlight: 64, durationMs });
      figures.add(name, 'gets/s', driven.perSecond);
      figures.add(`${name}, processor`, 'µs', ((processorMsOf(node) - beforeMs) * 1000) / gets);
    }
  }
  figures.print();
  for (const protocol of ['pipeline', 'unary']) {
    for (const [name, most] of [
      ['token', 1.25],
      ['TLS', 1.5],
      ['token and TLS', 1.75],
    ] as const) {
      const ratios = figures.ratios(`${protocol}, ${name}, processor`, `${protocol}, plain, processor`);
      figures.judge({ what: `processor with ${name} by without, ${protocol}`, figures: ratios, most });
    }
  }
});

/** The check alone, in this process, before an upstream that does nothing. */
function gateAlone() {
  const { id, text } = newToken(systemRandom);
  const scope = { namespace: 'ben*', prefix: 'key-', rights: ['read'] } as const;
  const token = { id, name: 'app', createdMs: 0, hash: hashOfToken(text), ...scope };
  const answer = { record: undefined, namespace: '', source: 'origin', past: false } as unknown as GetAnswer;
  const upstream = { peek: () => answer } as Pick<Upstream, 'peek'> as Upstream;
  const source = { knowsTokens: () => true, token: () => token, namespace: () => undefined };
  const gate = new Gate({ upstream, source, clock: systemClock, adminHash: () => undefined });
  const caller = { authorization: `Bearer ${text}`, address: '127.0.0.1' };
  const entered = gate.enter(caller);
  const request = { namespace: 'bench', key: 'key-00000001', session: emptySession };
  return {
    enter: () => gate.enter(caller),
    checkedPeek: () => entered.peek(request),
    peek: () => upstream.peek(request),
  };
}

/** Microseconds of the processor that one call takes. */
function processorUsOf(run: () => unknown): number {
  const times = 300_000;
  const before = process.cpuUsage().user;
  for (let left = times; left > 0; left--) run();
  return (process.cpuUsage().user - before) / times;
}

/** Milliseconds of processors that a process has used, as Linux counts them in hundredths of a second; else NaN. */
function processorMsOf({ pid }: ChildNode): number {
  try {
    // Behind the name, which may hold anything: the 14th and 15th field are user's and system's time.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

interface Wishes {
  readonly asksForTokens: boolean;
  readonly speaksTls: boolean;
}

/** Gets at a node of its own, by a token that may read one namespace with a prefix, as an application's would. */
async function openNode(run: BenchRun, name: string, { asksForTokens, speaksTls }: Wishes): Promise<Measured[]> {
  const file = (what: string, content: string | Buffer): string => {
    const path = join(run.folder, `${name} ${what}`);
    writeFileSync(path, content);
    return path;
  };
  const { cert, key } = authority.issue(name);
  const flags = [
    ...(asksForTokens ? ['--admin-token-file', file('admin', adminToken)] : []),
    ...(speaksTls ? ['--tls-cert', file('cert', cert), '--tls-key', file('key', key)] : []),
  ];
  const node = await startNode(run, 'origin', name, flags);
  const open = (token: string, protocol: 'pipeline' | 'unary' = 'pipeline'): ClusterHandle => {
    const tls = speaksTls ? { tls: { ca: authority.ca } } : {};
    const client = connect({ endpoints: [placeOf(node)], protocol, ...tls, ...(asksForTokens ? { token } : {}) });
    run.onEnd(() => client.close());
    return client;
  };
  const admin = open(adminToken);
  await admin.namespaces.create('bench');
  await admin.namespace('bench').write(keys.map((one) => ({ kind: 'put', key: one, value }) as const));
  const scope = { namespace: 'ben*', prefix: 'key-', rights: ['read'] } as const;
  const token = asksForTokens ? (await admin.tokens.create({ name: 'app', ...scope })).text : '';
  return (['pipeline', 'unary'] as const).map((protocol) => {
    const namespace = open(token, protocol).namespace('bench');
    return { name: `${protocol}, ${name}`, node, get: (n) => namespace.get(keyAt(n), 'arrayBuffer') };
  });
}
