import type { MethodDefinition } from '@grpc/grpc-js';
import { decodeWriteAnswer } from '../codec/write-answer.ts';
import { services } from '../proto.ts';
import type { Service } from './connection.ts';

/** The methods of a node, as proto/ defines them. */
export const methods = {
  get: method(services.kv, 'Get'),
  batchGet: method(services.kv, 'BatchGet'),
  read: method(services.kv, 'Read'),
  put: writing('Put'),
  delete: writing('Delete'),
  write: writing('Write'),
  pipeline: method(services.kv, 'Pipeline'),
  list: method(services.kv, 'List'),
  watch: method(services.kv, 'Watch'),
  create: method(services.namespaces, 'Create'),
  find: method(services.namespaces, 'Get'),
  namespaces: method(services.namespaces, 'List'),
  rename: method(services.namespaces, 'Rename'),
  remove: method(services.namespaces, 'Delete'),
  moveHome: method(services.namespaces, 'MoveHome'),
  status: method(services.cluster, 'Status'),
  members: method(services.cluster, 'Members'),
  digest: method(services.cluster, 'Digest'),
  digestRange: method(services.cluster, 'DigestRange'),
  removeMember: method(services.cluster, 'RemoveMember'),
  report: method(services.cluster, 'Report'),
  drain: method(services.cluster, 'Drain'),
  follow: method(services.feed, 'Follow'),
  createToken: method(services.tokens, 'Create'),
  tokens: method(services.tokens, 'List'),
  rotateToken: method(services.tokens, 'Rotate'),
  revokeToken: method(services.tokens, 'Revoke'),
} as const;

function method(service: Service, name: string): MethodDefinition<object, object> {
  const found = service.service[name];
  if (found === undefined) throw new Error(`proto/ defines no method ${name}`);
  return found as unknown as MethodDefinition<object, object>;
}

/** A method whose answer is a `WriteAnswer`. */
function writing(name: string): MethodDefinition<object, object> {
  return { ...method(services.kv, name), responseDeserialize: decodeWriteAnswer };
}
