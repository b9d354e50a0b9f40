import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Mutation, WriteRequest } from '../../src/model/key-value.ts';
import { limits } from '../../src/model/limits.ts';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { writeMessages } from '../../src/rpc/client/write-messages.ts';
import { fieldBytes, WireWriter } from '../../src/rpc/codec/wire-format.ts';
import { messageBytesMax } from '../../src/rpc/proto.ts';
import { collectWrite, readWritePart, type WritePart } from '../../src/rpc/server/write-collector.ts';

/** Sizes on both sides of what travels together and of one piece. */
const valueBytes = fc.constantFrom(0, 1, 100, 200_000, 262_143, 262_144, 1_048_576, 1_048_577, 2_500_000);

const condition = fc.constantFrom(
  {},
  { condition: { kind: 'absent' } as const },
  { condition: { kind: 'version', version: bottomStamp } as const },
);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc
    .record({ key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }), condition })
    .map(({ key, condition }) => ({ kind: 'delete', key, ...condition }) as const),
  fc
    .record({
      key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }),
      condition,
      bytes: valueBytes,
      more: fc.constantFrom({}, { metadata: '{"a":1}' }, { expiry: { kind: 'in', seconds: 60 } as const }),
    })
    .map(({ key, condition, bytes, more }) => {
      return { kind: 'put', key, value: Buffer.alloc(bytes, key), ...condition, ...more } as const;
    }),
);

function requestOf(mutations: readonly Mutation[]): WriteRequest {
  return { namespace: 'flags', mutations, session: emptySession };
}

/** What arrives at the other side, and in how many messages of how many bytes. */
async function sent(request: WriteRequest): Promise<{ readonly arrived: WriteRequest; readonly sizes: number[] }> {
  const sizes: number[] = [];
  async function* wire(): AsyncGenerator<WritePart> {
    for (const bytes of writeMessages(request, methods.write.requestSerialize)) {
      sizes.push(bytes.byteLength);
      yield readWritePart(bytes, methods.write.requestDeserialize);
    }
  }
  return { arrived: await collectWrite(wire(), limits.batchBytesMax, () => {}), sizes };
}

const plain = ({ mutations }: WriteRequest) =>
  mutations.map((each) =>
    each.kind === 'put' ? { ...each, value: Buffer.from(each.value).toString('latin1') } : each,
  );

test('every batch arrives as it was sent, in messages that fit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 12 }), async (mutations) => {
      const { arrived, sizes } = await sent(requestOf(mutations));
      expect(plain(arrived)).toEqual(plain(requestOf(mutations)));
      expect(Math.max(...sizes)).toBeLessThan(messageBytesMax / 2);
    }),
    { numRuns: 60 },
  );
});

test('a thousand small mutations travel in two messages: the header, and all of them', async () => {
  const mutations = Array.from({ length: 1000 }, (_, i): Mutation => {
    return { kind: 'put', key: `key:${i}`, value: Buffer.from(`value ${i}`) };
  });
  const { arrived, sizes } = await sent(requestOf(mutations));
  expect(arrived.mutations).toHaveLength(1000);
  expect(sizes).toHaveLength(2);
});

test('a message with a part that this node does not know is refused, not passed over', async () => {
  async function* wire(): AsyncGenerator<WritePart> {
    yield { header: { namespace: 'flags', options: null, session: null } };
    yield {};
  }
  await expect(collectWrite(wire(), limits.batchBytesMax, () => {})).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});

/** What a caller may send without an end; how many of the messages were read. */
async function readOf(message: Buffer): Promise<{ readonly read: number; readonly refused: unknown }> {
  let read = 0;
  async function* wire(): AsyncGenerator<WritePart> {
    yield { header: { namespace: 'flags', options: null, session: null } };
    yield readWritePart(Buffer.from([0x12, 5, 0x0a, 1, 0x6b, 0x1a, 0]), methods.write.requestDeserialize);
    for (; read < 60; read++) yield readWritePart(message, methods.write.requestDeserialize);
  }
  const refused = await collectWrite(wire(), limits.batchBytesMax, () => {}).catch((error: unknown) => error);
  return { read, refused };
}

const bytesField = (tag: number, content: Buffer) => {
  const writer = new WireWriter(fieldBytes(content.length));
  writer.head(tag, content.length);
  writer.bytes(content);
  return writer.written();
};

test.each([
  [
    'metadata',
    bytesField(
      0x12,
      Buffer.concat([Buffer.from([0x0a, 1, 0x6b]), bytesField(0x1a, bytesField(0x12, Buffer.alloc(4_000_000, 0x61)))]),
    ),
  ],
  [
    'what no field has room for',
    Buffer.concat([Buffer.from([0x1a, 1, 0x61]), bytesField(0x7a, Buffer.alloc(4_000_000))]),
  ],
])('a batch of more than a batch may be is refused where it is %s', async (_, message) => {
  const { read, refused } = await readOf(message);
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', details: { reason: 'too-large' } });
  expect(read).toBeLessThan(32);
});

test('a value in pieces of any size arrives whole', async () => {
  const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(300), fc.constantFrom(65_535, 65_536, 200_000)), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(5000), async (large, small) => {
      const pieces = [...large, ...Array.from({ length: small }, () => 1)].map((size, i) => Buffer.alloc(size, i));
      async function* wire(): AsyncGenerator<WritePart> {
        yield { header: { namespace: 'flags', options: null, session: null } };
        yield readWritePart(Buffer.from([0x12, 5, 0x0a, 1, 0x6b, 0x1a, 0]), methods.write.requestDeserialize);
        for (const more of pieces) yield { more };
      }
      const [arrived] = (await collectWrite(wire(), limits.batchBytesMax, () => {})).mutations;
      expect(arrived?.kind === 'put' && Buffer.concat(pieces).equals(arrived.value)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
