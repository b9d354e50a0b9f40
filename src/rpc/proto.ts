import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type MethodDefinition, makeGenericClientConstructor, type ServiceClientConstructor } from '@grpc/grpc-js';
import protobuf from 'protobufjs/light.js';

const protoDirectory = fileURLToPath(new URL('../../proto', import.meta.url));
const packageName = 'meridian.v1';

/** The files of proto/, by the names under which they import each other. */
export const protoFiles = ['record', 'kv', 'feed', 'cluster'].map((file) => {
  const name = `meridian/v1/${file}.proto`;
  return { name, path: join(protoDirectory, name) };
});

/**
 * The messages and services of proto/, as `npm run messages` reads them from there. To parse the .proto files, and to
 * load what parses them, was a third of what a short command costs.
 */
export const definitions = protobuf.Root.fromJSON({
  nested: {
    meridian: { nested: { v1: { nested: JSON.parse(readFileSync(join(protoDirectory, 'messages.json'), 'utf8')) } } },
  },
}).resolveAll();

/** What a message becomes in JavaScript: numbers for 64-bit integers (sequences stay below 2⁵³), a value in each field. */
const conversion: protobuf.IConversionOptions = {
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
  arrays: true,
  objects: true,
};

function service(name: string): ServiceClientConstructor {
  const { methodsArray } = definitions.lookupService(`${packageName}.${name}`);
  const methods = methodsArray.map((method) => [method.name, methodOf(method, name)] as const);
  return makeGenericClientConstructor(Object.fromEntries(methods), name);
}

function methodOf(method: protobuf.Method, serviceName: string): MethodDefinition<object, object> {
  const { name, requestStream, responseStream, resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`proto/ does not define what ${name} takes and gives`);
  return {
    path: `/${packageName}.${serviceName}/${name}`,
    requestStream: requestStream === true,
    responseStream: responseStream === true,
    requestSerialize: (message) => encode(request, message),
    requestDeserialize: (bytes) => decode(request, bytes),
    responseSerialize: (message) => encode(response, message),
    responseDeserialize: (bytes) => decode(response, bytes),
    originalName: `${name.charAt(0).toLowerCase()}${name.slice(1)}`,
  };
}

function encode(type: protobuf.Type, message: object): Buffer {
  return type.encode(type.fromObject(message)).finish() as Buffer;
}

function decode(type: protobuf.Type, bytes: Uint8Array): object {
  return type.toObject(type.decode(bytes), conversion);
}

export const services = {
  kv: service('KV'),
  namespaces: service('Namespaces'),
  cluster: service('Cluster'),
  feed: service('Feed'),
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
