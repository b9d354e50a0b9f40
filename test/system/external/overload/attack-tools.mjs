// What rude callers have in common: messages and requests as bytes, and loops that never end.
import { setTimeout as delay } from 'node:timers/promises';

/** A protobuf field of bytes or text. */
export function field(number, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

export function varint(value) {
  const out = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) + 0x80);
  return Buffer.from([...out, rest]);
}

/** gRPC's frame: a flag, the length, the message. */
export function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export const request = (method, path, more = '') => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
/** Runs `one` in so many loops at once, for ever. */
export function loops(many, one) {
  for (let i = 0; i < many; i++) {
    (async () => {
      for (let n = i; ; n += many) await one(n).catch(() => delay(10));
    })();
  }
}

export const ended = (stream) => new Promise((resolve) => stream.once('close', resolve));

/** Opens again what was closed, so that an attack does not end when the node defends itself. */
export function kept(many, open) {
  loops(many, async (n) => {
    await ended(open(n));
    await delay(100);
  });
}

// What is killed with a signal leaves nothing behind; a parent that is gone is noticed by its pipe.
export function untilParentIsGone() {
  process.stdin.resume().once('end', () => process.exit(0));
}
