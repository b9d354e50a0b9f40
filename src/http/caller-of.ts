import type { IncomingMessage } from 'node:http';
import type { Caller } from '../model/entrance.ts';

/** What a request says of its caller. */
export function callerOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): Caller {
  return { authorization: headers.authorization, address: socket.remoteAddress ?? '' };
}
