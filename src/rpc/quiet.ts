import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/**
 * gRPC's library writes to standard error what the errors that it gives say as well, between a node's lines of JSON.
 * Whoever looks for a fault in it sets its own variables, which win.
 */
export function quietGrpc(environment: Readonly<Record<string, string | undefined>>): void {
  if (environment['GRPC_VERBOSITY'] ?? environment['GRPC_NODE_VERBOSITY']) return;
  setLogVerbosity(logVerbosity.NONE);
}
