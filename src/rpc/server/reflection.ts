import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import type { EnumTypeDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthPath } from 'grpc-health-check';
import { encodeFile, type ProtoFile, readFiles } from '../file-descriptors.ts';
import { protoFiles } from '../proto.ts';

/**
 * Tells clients that ask by reflection (v1 and v1alpha) what the node serves: our services, health, and reflection
 * itself, by the files as protoc would describe them.
 */
export function addReflection(server: Server): void {
  const fileDescriptorProtos = servedFiles().map((file) => encodeFile(file));
  // The service reads only the descriptors, and of all definitions this type needs the least besides.
  const files: EnumTypeDefinition = { format: 'Protocol Buffer 3 EnumDescriptorProto', type: {}, fileDescriptorProtos };
  new ReflectionService({ files }).addToServer(server);
}

function servedFiles(): ReturnType<typeof readFiles> {
  const reflection = dirname(createRequire(import.meta.url).resolve('@grpc/reflection'));
  const versions = ['v1', 'v1alpha'].map((version): ProtoFile => {
    const name = `grpc/reflection/${version}/reflection.proto`;
    return { name, path: join(reflection, '../proto', name) };
  });
  return readFiles([...protoFiles, { name: 'grpc/health/v1/health.proto', path: healthPath }, ...versions]);
}
