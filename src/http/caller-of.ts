import type { IncomingMessage } from 'node:http';
import type { Caller } from '../model/entrance.ts';
import { peerCertificateOf } from '../runtime/peer-certificate.ts';

/** What a request says of its caller. */
export function callerOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): Caller {
  const { authorization } = headers;
  return {
    authorization,
    address: socket.remoteAddress ?? '',
    certificate: () => peerCertificateOf(socket),
    connection: socket,
  };
}
