import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type MethodDefinition, makeGenericClientConstructor, type ServiceClientConstructor } from '@grpc/grpc-js';
import protobuf, { type Method, type Type } from 'protobufjs/light.js';

const { Root } = protobuf;
const protoDirectory = fileURLToPath(new URL('../../proto', import.meta.url));

/** The files of proto/, by the names under which they import each other. */
export const protoFiles = ['record', 'kv', 'feed', 'cluster'].map((file) => {
  const name = `meridian/v1/${file}.proto`;
  return { name, path: join(protoDirectory, name) };
});

/** 64-bit integers are numbers, as sequences stay below 2⁵³. */
const decodedAs = { longs: Number, enums: String, defaults: true, oneofs: true, arrays: true, objects: true };

/**
 * The messages and services of proto/, as `npm run messages` reads them from there: to parse the .proto files was much of
 * what a short command costs. So were the descriptors that proto-loader makes of every message, which nobody here asks for.
 */
const definitions = Root.fromJSON({
  nested: {
    meridian: { nested: { v1: { nested: JSON.parse(readFileSync(join(protoDirectory, 'messages.json'), 'utf8')) } } },
  },
}).resolveAll();

function service(name: string): ServiceClientConstructor {
  const { methodsArray } = definitions.lookupService(`meridian.v1.${name}`);
  const methods = methodsArray.map((method) => [method.name, methodOf(`meridian.v1.${name}`, method)] as const);
  return makeGenericClientConstructor(Object.fromEntries(methods), name);
}

/** As proto-loader defines it. */
function methodOf(serviceName: string, method: Method): MethodDefinition<object, object> {
  const { name, requestStream = false, responseStream = false, resolvedRequestType, resolvedResponseType } = method;
  assert(resolvedRequestType !== null && resolvedResponseType !== null, `the messages of ${name} are resolved`);
  const [request, response] = [codecOf(resolvedRequestType), codecOf(resolvedResponseType)];
  return {
    ...{ path: `/${serviceName}/${name}`, requestStream, responseStream },
    ...{ requestSerialize: request.serialize, requestDeserialize: request.deserialize },
    ...{ responseSerialize: response.serialize, responseDeserialize: response.deserialize },
  };
}

function codecOf(type: Type) {
  return {
    serialize: (message: object) => type.encode(type.fromObject(message)).finish() as Buffer,
    deserialize: (bytes: Buffer): object => type.toObject(type.decode(bytes), decodedAs),
  };
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
