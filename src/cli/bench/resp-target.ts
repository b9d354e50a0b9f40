import { MeridianError } from '../../model/errors.ts';
import { RedisConnection } from '../transfer/redis-connection.ts';
import type { RedisReply } from '../transfer/redis-reply.ts';
import type { LoadTarget } from './load-target.ts';

export interface RespTargetOptions {
  /** Where the node serves Redis clients. */
  readonly address: string;
  /** The user name of AUTH. */
  readonly namespace: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** By the Redis protocol: each call on a connection of its own, which the next one takes over. */
export function respTarget({ address, namespace, token, timeoutMs, signal }: RespTargetOptions): LoadTarget {
  // Without tokens any password will do.
  const [user, password] = [namespace, token ?? 'none'].map(encodeURIComponent);
  const url = `redis://${user}:${password}@${address}`;
  const idle: RedisConnection[] = [];
  let isClosed = false;
  const ask = async (command: ReadonlyArray<string | Buffer>): Promise<RedisReply> => {
    const connection = idle.pop() ?? (await RedisConnection.open({ url, signal, silenceMsMax: timeoutMs }));
    try {
      const [reply = null] = await connection.askEach([command]);
      if (isClosed) connection.close();
      else idle.push(connection);
      return reply;
    } catch (error) {
      connection.close();
      throw error;
    }
  };
  const checked = async (command: ReadonlyArray<string | Buffer>) => {
    const reply = await ask(command);
    if (reply instanceof Error) throw new MeridianError('INTERNAL', reply.message, { reason: 'redis-refuses' });
    if (reply === null) throw new MeridianError('NOT_FOUND', 'there is no such key', { reason: 'absent' });
  };
  return {
    get: (key) => checked(['GET', key]),
    put: (key, value) => checked(['SET', key, Buffer.from(value)]),
    close: () => {
      isClosed = true;
      for (const connection of idle.splice(0)) connection.close();
    },
  };
}
