import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeGenericClientConstructor, type ServiceClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

const protoDirectory = fileURLToPath(new URL('../../proto', import.meta.url));

/** The files of proto/, by the names under which they import each other. */
export const protoFiles = ['record', 'kv', 'feed', 'cluster'].map((file) => {
  const name = `meridian/v1/${file}.proto`;
  return { name, path: join(protoDirectory, name) };
});

/**
 * The messages and services of proto/, from the JSON that `npm run messages` makes of them: parsing the .proto files
 * took much of the time of a short command. 64-bit integers are numbers, as sequences stay below 2⁵³.
 */
const packageDefinition = fromJSON(
  {
    nested: {
      meridian: { nested: { v1: { nested: JSON.parse(readFileSync(join(protoDirectory, 'messages.json'), 'utf8')) } } },
    },
  },
  { longs: Number, enums: String, defaults: true, oneofs: true, arrays: true, objects: true },
);

function service(name: string): ServiceClientConstructor {
  const definition = packageDefinition[`meridian.v1.${name}`];
  if (definition === undefined) throw new Error(`proto/ defines no service ${name}`);
  return makeGenericClientConstructor(definition as ServiceDefinition, name);
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
 * Bytes that may arrive at a client unread, HTTP/2's window. The default of 64 KiB moves 64 KiB a round trip: at 160 ms
 * that is 400 KB/s, whatever the line could carry.
 */
export const windowBytes = 4 * 1024 * 1024;
/** The same at a server, for one call and for one connection: less, as strangers' unread bytes take its memory. */
export const streamWindowBytes = 1024 * 1024;
export const connectionWindowBytes = 2 * 1024 * 1024;

/** The header for `Call.forwarded`. */
export const forwardedHeader = 'meridian-forwarded';
/** The header for `Call.hops`. */
export const hopsHeader = 'meridian-hops';
