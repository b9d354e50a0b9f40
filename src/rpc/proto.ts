import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

const protoDirectory = fileURLToPath(new URL('../../proto', import.meta.url));
const protoNames = ['record', 'kv', 'feed', 'cluster'].map((file) => `meridian/v1/${file}.proto`);

/** The files of proto/, by the names under which they import each other. */
export const protoFiles = protoNames.map((name) => ({ name, path: join(protoDirectory, name) }));

/** The messages and services of proto/, with numbers for 64-bit integers (sequences stay below 2⁵³). */
const packageDefinition: PackageDefinition = loadSync(protoNames, {
  includeDirs: [protoDirectory],
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
  arrays: true,
  objects: true,
});

const loaded = loadPackageDefinition(packageDefinition);

function service(name: string): ServiceClientConstructor {
  let at: GrpcObject[string] | undefined = loaded;
  for (const part of ['meridian', 'v1', name]) at = (at as GrpcObject | undefined)?.[part];
  if (at === undefined) throw new Error(`proto/ defines no service ${name}`);
  return at as ServiceClientConstructor;
}

export const services = {
  kv: service('KV'),
  namespaces: service('Namespaces'),
  cluster: service('Cluster'),
  feed: service('Feed'),
  tokens: service('Tokens'),
} as const;

/** Bytes of one message in either direction, gRPC's default limit everywhere. */
export const messageBytesMax = 4 * 1024 * 1024;
/** Bytes of one message of a stream that carries values in pieces. */
export const pieceBytesMax = 1024 * 1024;
/**
 * Bytes that a client lets arrive unread, HTTP/2's window. The default of 64 KiB moves 64 KiB a round trip: at 160 ms
 * that is 400 KB/s, whatever the line could carry.
 */
export const windowBytes = 4 * 1024 * 1024;
/** The same at a server, for one call and for one connection: less, as strangers' unread bytes are its memory. */
export const streamWindowBytes = 1024 * 1024;
export const connectionWindowBytes = 2 * 1024 * 1024;

/** The header that says what `Call.forwarded` says. */
export const forwardedHeader = 'meridian-forwarded';
/** The header that says what `Call.hops` says. */
export const hopsHeader = 'meridian-hops';
