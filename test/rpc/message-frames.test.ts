import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageFrames } from '../../src/rpc/server/message-frames.ts';

it('tells where each message begins and ends, however its bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(700)), fc.array(fc.integer({ min: 1, max: 300 })), (lengths, cuts) => {
      const bytes = Buffer.concat(
        lengths.map((length) => {
          const message = Buffer.alloc(5 + length, 0xff);
          message[0] = 0;
          message.writeUInt32BE(length, 1);
          return message;
        }),
      );
      const told: string[] = [];
      const frames = new MessageFrames(
        (length) => told.push(`begun ${length}`),
        () => told.push('ended'),
      );
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const cut = cuts[i % Math.max(1, cuts.length)] ?? 64;
        frames.take(bytes.subarray(at, at + cut));
        at += cut;
      }
      expect(told).toEqual(lengths.flatMap((length) => [`begun ${length}`, 'ended']));
    }),
  );
});
