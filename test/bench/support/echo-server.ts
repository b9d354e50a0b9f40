import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { services } from '../../../src/rpc/proto.ts';

/** A gRPC server in a process of its own that answers each Get with the one message that its parent sends it. */
process.once('message', (answer: object) => {
  const { Get: get } = services.kv.service;
  if (get === undefined) throw new Error('proto/ defines no Get');
  const server = new Server();
  server.addService({ Get: get }, { Get: (_call: unknown, callback: sendUnaryData<object>) => callback(null, answer) });
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send?.(port);
  });
});
process.once('disconnect', () => process.exit(0));
