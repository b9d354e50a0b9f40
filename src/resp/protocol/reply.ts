/**
 * What a command answers. A text is a bulk string, bytes are one too; `null` is nil; a Map is a map of RESP3, and a flat
 * array to a client of RESP2.
 */
export type Reply =
  | string
  | number
  | null
  | Uint8Array
  | Status
  | RespError
  | Push
  | HeldValue
  | Several
  | readonly Reply[]
  | ReadonlyMap<string, Reply>;

/** A simple string. */
export class Status {
  readonly encoded: Buffer;

  constructor(text: string) {
    this.encoded = Buffer.from(`+${text}\r\n`);
  }
}

export const ok = new Status('OK');

/** An error reply: its first word is its kind, in capitals, as Redis' clients look for it. */
export class RespError extends Error {
  /** A stable name for metrics, in kebab-case. */
  readonly reason: string;

  constructor(message: string, reason: string) {
    super(message);
    this.name = 'RespError';
    this.reason = reason;
  }
}

/** Out of the order of commands, to clients of RESP3 alone. */
export class Push {
  readonly parts: readonly Reply[];

  constructor(parts: readonly Reply[]) {
    this.parts = parts;
  }
}

/** A large value, whose room in memory is free again once it is sent or the client is gone. */
export class HeldValue {
  readonly reply: Reply;
  /** Idempotent. */
  readonly release: () => void;

  constructor(reply: Reply, release: () => void) {
    this.reply = reply;
    this.release = release;
  }
}

/** Replies of several commands that were carried out together. */
export class Several {
  readonly replies: readonly Reply[];

  constructor(replies: readonly Reply[]) {
    this.replies = replies;
  }
}
