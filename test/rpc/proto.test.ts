import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { describe, expect, it } from 'vitest';
import { protoFiles, services } from '../../src/rpc/proto.ts';

const folder = resolve('proto');

/** The .proto files themselves, as a parser takes them. */
function parsed(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => resolve(folder, target);
  root.loadSync(protoFiles.map(({ name }) => name)).resolveAll();
  return root;
}

/** As the node reads them. */
function made(): protobuf.Root {
  const nested = JSON.parse(readFileSync(join(folder, 'messages.json'), 'utf8'));
  const root = protobuf.Root.fromJSON({ nested: { meridian: { nested: { v1: { nested } } } } });
  root.resolveAll();
  return root;
}

/** Every property of every message, enum and service, as descriptors say it. */
function described(root: protobuf.NamespaceBase): unknown {
  const all = descriptor.FileDescriptorSet.toObject(
    (root as unknown as { toDescriptor(edition: string): protobuf.Message }).toDescriptor('proto3'),
    { enums: String, longs: Number },
  );
  return all['file'];
}

describe('the files in proto/', () => {
  it('use no `optional`, which the protoc of Debian’s python3-grpc-tools (3.5) refuses', () => {
    const files = join(folder, 'meridian/v1');
    const found = readdirSync(files).filter((file) => /^\s*optional /m.test(readFileSync(join(files, file), 'utf8')));
    expect(found).toEqual([]);
  });
});

describe('messages.json', () => {
  it('says what the .proto files say: npm run messages writes it', () => {
    expect(described(made())).toEqual(described(parsed()));
  });

  it('says which fields are packed and which may be absent', () => {
    const [read, here] = [parsed(), made()].map((root) =>
      messages(root).map((type) =>
        type.fieldsArray.map((field) => {
          const { name, packed, repeated, hasPresence } = field;
          return [type.fullName, name, Boolean(packed), Boolean(repeated), Boolean(hasPresence)];
        }),
      ),
    );
    expect(here).toEqual(read);
    expect(here?.flat().length).toBeGreaterThan(100);
  });

  it('lies beside the files that it was made of', () => {
    expect(protoFiles.map(({ path }) => dirname(path))).toEqual(protoFiles.map(() => resolve(folder, 'meridian/v1')));
    expect(Object.keys(services)).toEqual(['kv', 'namespaces', 'cluster', 'feed', 'tokens']);
  });
});

function messages(within: protobuf.NamespaceBase): protobuf.Type[] {
  return within.nestedArray.flatMap((inner) => [
    ...(inner instanceof protobuf.Type ? [inner] : []),
    ...(inner instanceof protobuf.Namespace ? messages(inner) : []),
  ]);
}
