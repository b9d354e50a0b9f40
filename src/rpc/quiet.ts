import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/**
 * Silences gRPC's library: between a node's lines of JSON it writes to standard error what its errors say anyway. To
 * look for a fault in it, set its own variables, which win.
 */
export function quietGrpc(environment: Readonly<Record<string, string | undefined>>): void {
  if (environment['GRPC_VERBOSITY'] ?? environment['GRPC_NODE_VERBOSITY']) return;
  setLogVerbosity(logVerbosity.NONE);
}
