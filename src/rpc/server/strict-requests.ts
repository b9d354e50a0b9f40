import type { ServiceDefinition } from '@grpc/grpc-js';
import { MeridianError, toMeridianError } from '../../model/errors.ts';
import { type MessageTexts, messageTexts } from './message-texts.ts';

/**
 * A request that cannot be read, in place of its message. An error thrown while it is read would end the call as
 * INTERNAL; so the handler throws it, as any other refusal.
 */
class Unreadable {
  readonly error: MeridianError;

  constructor(error: MeridianError) {
    this.error = error;
  }
}

/** The message that came, if it can be read. @throws INVALID_ARGUMENT */
export function readable<T>(message: T): T {
  if (message instanceof Unreadable) throw message.error;
  return message;
}

/**
 * The service with requests read strictly. Protobuf's texts are UTF-8, but not every language's library checks what it
 * sends, and ours would make U+FFFD of what is broken: two keys would become one.
 */
export function strictService(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const texts = messageTexts(method.path);
      return [
        name,
        { ...method, requestDeserialize: (bytes: Buffer) => read(bytes, texts, method.requestDeserialize) },
      ];
    }),
  );
}

function read(bytes: Buffer, texts: MessageTexts, deserialize: (bytes: Buffer) => object): object {
  try {
    texts.check(bytes);
  } catch (error) {
    return new Unreadable(toMeridianError(error));
  }
  try {
    return deserialize(bytes);
  } catch (cause) {
    const message = `the request is no message of its type: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new Unreadable(new MeridianError('INVALID_ARGUMENT', message, { reason: 'malformed', cause }));
  }
}
