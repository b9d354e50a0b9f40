import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { unknownVariables } from '../../../src/config/unknown-variables.ts';
import { meridianScript, ProcessCluster, placeOf } from '../process-cluster.ts';
import { KubernetesTools, type Manifest } from './kubernetes-tools.ts';

const chart = 'deploy/helm/meridian';
const folder = mkdtempSync(join(tmpdir(), 'meridian-chart-'));
let tools: KubernetesTools | undefined;

beforeAll(() => {
  tools = KubernetesTools.find();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true }));

const secured = { tokens: { existingSecret: 'tokens' }, tls: { existingSecret: 'certificate' } };
const sets: ReadonlyArray<readonly [string, object]> = [
  ['the least', { insecure: true, origins: { bootstrap: true } }],
  ['secured', secured],
  [
    'everything',
    {
      ...secured,
      image: { repository: 'registry.example/meridian', tag: '1.2.3', pullSecrets: ['pull'] },
      origins: {
        replicas: 3,
        peers: ['iad.example.org:7100'],
        advertiseDomain: 'fra.example.org',
        region: 'eu-central',
        options: { durability: 'majority' },
        persistence: { size: '100Gi', storageClass: 'fast' },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'dedicated', operator: 'Exists' }],
        affinity: { nodeAffinity: {} },
        podAnnotations: { team: 'platform' },
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
        ],
      },
      edges: { replicas: 4, replicate: ['flags', 'config/eu/*'], workers: 2, options: { 'max-staleness': '5s' } },
      service: { type: 'LoadBalancer', annotations: { a: 'b' } },
      networkPolicy: { metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    },
  ],
  [
    'edges of origins elsewhere',
    { insecure: true, origins: { replicas: 0 }, edges: { upstreams: ['a.example.org:7100'] } },
  ],
];

function helm(words: readonly string[], values: object): { status: number | null; stdout: string; stderr: string } {
  const file = join(folder, 'values.json');
  writeFileSync(file, JSON.stringify(values));
  return spawnSync(tools?.helm ?? '', [...words, '--values', file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder },
  });
}

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: ReadonlyArray<{ readonly name: string; readonly value?: string }>;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

interface Rendered extends Manifest {
  readonly metadata: Manifest['metadata'] & { readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: { readonly containers: readonly Container[] } } };
}

function render(values: object, release = 'kv', namespace = 'store'): readonly Rendered[] {
  const { status, stdout, stderr } = helm(['template', release, chart, '--namespace', namespace], values);
  expect([status, stderr]).toEqual([0, '']);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Rendered);
}

function containersOf(manifests: readonly Rendered[]): readonly Container[] {
  return manifests.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
}

describe('the Helm chart', () => {
  it.each(sets)('passes the linter, and what it makes is what Kubernetes knows: %s', async (_, values) => {
    if (tools === undefined) return;
    expect(helm(['lint', '--strict', chart], values)).toMatchObject({ status: 0 });
    const manifests = render(values);
    for (const manifest of manifests) await tools.validate(manifest);
    expect(tools.unknownFields(manifests)).toBe('');
    const kinds = manifests.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(kinds).toContain('StatefulSet kv-meridian-edge');
  });

  it('makes texts of names that YAML takes for something else', async () => {
    if (tools === undefined) return;
    const manifests = render(
      {
        tokens: { existingSecret: '1', adminKey: '007' },
        tls: { existingSecret: 'null' },
        image: { pullSecrets: ['2'] },
        origins: { persistence: { storageClass: 'true', size: '1000' } },
        edges: { persistence: { storageClass: '1.5' } },
        serviceMonitor: { enabled: true },
      },
      '42',
      '7',
    );
    for (const manifest of manifests) await tools.validate(manifest);
    expect(tools.unknownFields(manifests)).toBe('');
    expect(JSON.stringify(manifests)).not.toContain('"secretName":null');
  });

  it('is scraped as the rules and dashboards want it: as the job meridian, with the labels node and role', () => {
    if (tools === undefined) return;
    const manifests = render({ ...secured, serviceMonitor: { enabled: true } });
    const monitor = manifests.find(({ kind }) => kind === 'ServiceMonitor') as unknown as {
      readonly spec: {
        readonly jobLabel: string;
        readonly endpoints: ReadonlyArray<{
          readonly relabelings: ReadonlyArray<{
            readonly sourceLabels: readonly string[];
            readonly targetLabel: string;
          }>;
        }>;
      };
    };
    const scraped = manifests.filter(({ metadata }) => metadata.labels?.['meridian.example/scraped'] === 'true');
    expect(scraped.map(({ metadata }) => metadata.labels[monitor.spec.jobLabel])).toEqual(['meridian', 'meridian']);
    const relabelings = monitor.spec.endpoints.flatMap((endpoint) => endpoint.relabelings);
    expect(relabelings.map(({ sourceLabels, targetLabel }) => [targetLabel, ...sourceLabels])).toEqual([
      ['node', '__meta_kubernetes_pod_name'],
      ['role', '__meta_kubernetes_pod_label_app_kubernetes_io_component'],
    ]);
  });

  it('is checked by schemas that refuse what is wrong', async () => {
    if (tools === undefined) return;
    const [set] = render(secured).filter(({ kind }) => kind === 'StatefulSet');
    if (set === undefined) throw new Error('no StatefulSet');
    await expect(tools.validate({ ...set, spec: { ...set.spec, replicas: '2' } } as Manifest)).rejects.toThrow(
      'integer',
    );
    expect(tools.unknownFields([{ ...set, spec: { ...set.spec, replicass: 2 } } as Manifest])).toContain('replicass');
  });

  it.each([
    [{}, 'tokens.existingSecret must name a secret'],
    [{ tokens: { existingSecret: 'tokens' } }, 'tls.existingSecret must name a secret'],
    [{ insecure: true, origins: { replicas: 0 } }, 'edges.upstreams must name nodes to follow'],
    [{ insecure: true, origins: { replica: 3 } }, "additional properties 'replica' not allowed"],
    [{ insecure: true, edges: { upstreams: ['no-port'] } }, 'does not match pattern'],
    [{ insecure: true, drain: { waitSeconds: '30s' } }, 'want integer'],
  ])('refuses %j, and says why', (values, why) => {
    if (tools === undefined) return;
    const { status, stderr } = helm(['template', 'kv', chart], values);
    expect(status).toBe(1);
    expect(stderr).toContain(why);
  });

  it.each(sets)('gives nodes no variable and no option that they do not know: %s', (_, values) => {
    if (tools === undefined) return;
    for (const { env, args, command } of containersOf(render(values))) {
      expect(unknownVariables(Object.fromEntries(env.map(({ name }) => [name, ''])))).toEqual([]);
      if (command[0] !== 'meridian') continue;
      const help = spawnSync(process.execPath, [meridianScript, args[0] ?? '', '--help'], { encoding: 'utf8' }).stdout;
      for (const flag of args.filter((word) => word.startsWith('--'))) expect(help).toContain(flag);
    }
  });

  it('starts each origin with all others as peers, and the first one alone where it is to found the cluster', () => {
    if (tools === undefined) return;
    const bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'meridian'), '#!/bin/sh\necho "$@"\n');
    chmodSync(join(bin, 'meridian'), 0o755);
    const started = (bootstrap: boolean, ordinal: number) => {
      const manifests = render({ insecure: true, origins: { bootstrap } });
      const { data = {} } = manifests.find(({ kind }) => kind === 'ConfigMap') ?? {};
      for (const [name, content] of Object.entries(data)) writeFileSync(join(folder, name), content);
      const container = containersOf(manifests).find(({ command }) => command[0] === 'bash');
      const env = { PATH: `${bin}:${process.env['PATH']}`, POD_NAME: `kv-meridian-origin-${ordinal}` };
      const script = join(folder, 'start-origin.sh');
      const { stdout, stderr } = spawnSync('bash', [script, ...(container?.args ?? [])], { encoding: 'utf8', env });
      expect(stderr).toBe('');
      return stdout.trim();
    };
    const at = (ordinal: number) => `kv-meridian-origin-${ordinal}.kv-meridian-origin.store.svc.cluster.local:7100`;
    const words = `origin --config ${join(folder, 'origin.yaml')}`;
    expect(started(true, 0)).toBe(words);
    expect(started(true, 1)).toBe(`${words} --peer ${at(0)}`);
    expect(started(false, 0)).toBe(`${words} --peer ${at(1)}`);
    expect(started(false, 1)).toBe(`${words} --peer ${at(0)}`);
  });

  it('drains a pod before it ends by a command that a node obeys', async () => {
    if (tools === undefined) return;
    const [container] = containersOf(render({ insecure: true, drain: { lingerSeconds: 0 } }));
    const [program, ...words] = container?.lifecycle.preStop.exec.command ?? [];
    expect(program).toBe('meridian');
    const cluster = new ProcessCluster();
    try {
      const origin = await cluster.start('origin', 'iad');
      const env = { ...process.env, MERIDIAN_ENDPOINT: placeOf(origin.grpc) };
      const ran = spawnSync(process.execPath, [meridianScript, ...words], { encoding: 'utf8', env });
      expect([ran.status, ran.stdout, ran.stderr]).toEqual([0, 'iad is drained\n', '']);
    } finally {
      await cluster.close();
    }
  });
});
