import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Condition, Expiry, Mutation, WriteAnswer, Written } from '../../../src/model/key-value.ts';
import { limits } from '../../../src/model/limits.ts';
import type { MemberId } from '../../../src/model/position.ts';
import { writeMessages } from '../../../src/rpc/client/write-messages.ts';
import { measured } from '../../../src/rpc/codec/mutation-fields.ts';
import { decodePipelineRequest, writeBytesMax, writeWrite } from '../../../src/rpc/codec/pipeline-requests.ts';
import { type AnswerTaker, encodeWritten, takeAnswers } from '../../../src/rpc/codec/pipeline-responses.ts';
import { WireWriter } from '../../../src/rpc/codec/wire-format.ts';
import { decodeWriteAnswer, encodeWriteAnswer } from '../../../src/rpc/codec/write-answer.ts';
import { services } from '../../../src/rpc/proto.ts';
import { collectWrite, readWritePart, type WritePart } from '../../../src/rpc/server/write-collector.ts';
import { anyNamespace, anyPosition, anySession, anyStamp, anyText, anyVector } from '../../model/arbitraries.ts';

/** As the loader of .proto files reads and writes them. */
const { Write: write, Pipeline: pipeline } = services.kv.service;
if (write === undefined || pipeline === undefined) throw new Error('proto/ defines neither');
const serializePart = (message: object) => write.requestSerialize(message);
const readPart = (bytes: Buffer) => readWritePart(bytes, (header) => write.requestDeserialize(header) as object);

const seconds = fc.oneof(fc.nat(300), fc.maxSafeNat());
const anyExpiry: fc.Arbitrary<Expiry> = fc.record({ kind: fc.constantFrom('in' as const, 'at' as const), seconds });
const anyCondition: fc.Arbitrary<Condition> = fc.oneof(
  fc.constant({ kind: 'absent' as const }),
  anyStamp.map((version) => ({ kind: 'version' as const, version })),
);
const value = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anyMutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record(
    { kind: fc.constant('delete' as const), key: anyText, condition: anyCondition },
    { requiredKeys: ['kind', 'key'] },
  ),
  fc.record(
    {
      kind: fc.constant('put' as const),
      key: anyText,
      value,
      metadata: anyText,
      expiry: anyExpiry,
      condition: anyCondition,
    },
    { requiredKeys: ['kind', 'key', 'value'] },
  ),
);
const anyWritten: fc.Arbitrary<Written> = fc.record(
  { stamp: anyStamp, position: anyPosition, expiresAt: seconds },
  { requiredKeys: ['stamp', 'position'] },
);
const anyRequestId = fc.option(fc.constantFrom('order-17', 'x'.repeat(128)), { nil: undefined });
const anyAnswer: fc.Arbitrary<WriteAnswer> = fc.record({
  namespace: anyNamespace,
  origin: fc.constant('00000000000000ab' as MemberId),
  written: fc.array(anyWritten, { maxLength: 5 }),
  durability: fc.constantFrom('local' as const, 'majority' as const, 'all' as const),
  covered: anyVector,
  session: anySession,
});

function operation(id: number, terms: number, mutation: Mutation, requestId?: string): Buffer {
  const measure = measured(mutation);
  const writer = new WireWriter(writeBytesMax(measure) + 130);
  writeWrite(writer, { id, terms, requestId }, measure);
  return writer.written();
}

async function collected(parts: readonly WritePart[]): Promise<readonly Mutation[]> {
  async function* stream(): AsyncGenerator<WritePart> {
    yield* parts;
  }
  return (await collectWrite(stream(), limits.batchBytesMax, () => {})).mutations;
}

const noOther = (): never => {
  throw new Error('no part goes through the loader');
};

describe('writes, by hand and by the loader of .proto files', () => {
  it('are the same operations of a Pipeline, whoever writes and whoever reads', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(300), anyMutation, anyRequestId, (id, terms, mutation, requestId) => {
        const sent = operation(id, terms, mutation, requestId);
        const passedOn = pipeline.requestSerialize(pipeline.requestDeserialize(sent) as object);
        for (const bytes of [sent, passedOn]) {
          expect(decodePipelineRequest(bytes, noOther).operations).toEqual([
            { id, terms, key: mutation.key, mutation, ...(requestId && { requestId }) },
          ]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are the same batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyMutation, { minLength: 1, maxLength: 8 }),
        anySession,
        async (mutations, session) => {
          const sent = [...writeMessages({ namespace: 'n', mutations, session }, serializePart)];
          const passedOn = sent.map((bytes) => write.requestSerialize(write.requestDeserialize(bytes) as object));
          for (const messages of [sent, passedOn]) {
            expect(await collected(messages.map(readPart))).toEqual(mutations);
          }
        },
      ),
    );
  });

  it('are the same where a mutation has a message of its own', async () => {
    await fc.assert(
      fc.asyncProperty(anyMutation, async (mutation) => {
        const { condition: _, ...rest } = { condition: undefined, ...mutation };
        const large: Mutation = rest.kind === 'put' ? { ...rest, value: Buffer.alloc(2_200_000, 7) } : rest;
        const sent = [...writeMessages({ namespace: 'n', mutations: [large], session: noSession }, serializePart)];
        const passedOn = sent.map((bytes) => write.requestSerialize(write.requestDeserialize(bytes) as object));
        for (const messages of [sent, passedOn]) {
          const [arrived] = await collected(messages.map(readPart));
          expect(arrived?.kind === 'put' ? { ...arrived, value: hashOf(arrived.value) } : arrived).toEqual(
            large.kind === 'put' ? { ...large, value: hashOf(large.value) } : large,
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are answered the same', () => {
    fc.assert(
      fc.property(anyAnswer, fc.maxSafeNat(), (answer, id) => {
        const sent = encodeWriteAnswer(answer);
        const passedOn = write.responseSerialize(write.responseDeserialize(sent) as object);
        for (const bytes of [sent, passedOn]) expect(decodeWriteAnswer(Buffer.from(bytes))).toEqual(answer);
        const message = encodeWritten(id, answer);
        const loaded = pipeline.responseSerialize(pipeline.responseDeserialize(message) as object);
        for (const bytes of [message, loaded]) {
          const told: unknown[] = [];
          const taker: AnswerTaker = {
            wanted: () => undefined,
            got: () => {},
            gotValue: () => {},
            written: (...one) => told.push(one),
            failed: () => {},
          };
          takeAnswers(Buffer.from(bytes), noOther, taker);
          expect(told).toEqual([[id, answer]]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('of a put and a delete in one operation the later one counts, and of a get too', () => {
    const fields = (mutation: Mutation) => operation(0, 0, mutation).subarray(2);
    const both = (...parts: readonly Buffer[]) => {
      const content = Buffer.concat([...parts]);
      return Buffer.concat([Buffer.from([0x12, content.length]), content]);
    };
    const put = fields({ kind: 'put', key: 'k', value: Buffer.from('v') });
    const remove = fields({ kind: 'delete', key: 'k' });
    const get = Buffer.from([0x22, 0]);
    const kindOf = (...parts: readonly Buffer[]) => {
      const [one] = decodePipelineRequest(both(...parts), noOther).operations;
      return one?.mutation?.kind;
    };
    expect([kindOf(put, remove), kindOf(remove, put)]).toEqual(['delete', 'put']);
    expect([kindOf(put, get), kindOf(get, put)]).toEqual([undefined, 'put']);
  });

  it('with a condition that names no version are refused alone', () => {
    const bad = operation(7, 0, { kind: 'delete', key: 'k', condition: { kind: 'version', version: 'x' as never } });
    const good = operation(8, 0, { kind: 'delete', key: 'k' });
    const { operations } = decodePipelineRequest(Buffer.concat([bad, good]), noOther);
    expect(operations.map(({ id, refused }) => [id, (refused as { code?: string } | undefined)?.code])).toEqual([
      [7, 'INVALID_ARGUMENT'],
      [8, undefined],
    ]);
  });

  it('of neither kind, as a later version may send, are refused and not taken for something else', async () => {
    const unknown = Buffer.from([0x12, 4, 0x08, 9, 0x7a, 0]);
    const [one] = decodePipelineRequest(unknown, noOther).operations;
    expect(one).toMatchObject({ id: 9, refused: { code: 'INVALID_ARGUMENT' } });
    const header = readPart(serializePart({ header: { namespace: 'n' } }));
    await expect(collected([header, readPart(Buffer.from([0x22, 4, 0x0a, 2, 0x7a, 0]))])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('refuse what is cut short, or ends beyond what it stands in', () => {
    const sent = operation(300, 2, { kind: 'put', key: 'key', value: Buffer.from('value'), metadata: '{}' });
    for (let bytes = 1; bytes < sent.length; bytes++) {
      expect(() => decodePipelineRequest(sent.subarray(0, bytes), noOther)).toThrow('malformed');
    }
    // The value of the put says that it goes on into what follows.
    const put = sent.lastIndexOf(Buffer.from('value'));
    const longer = Buffer.concat([sent, Buffer.alloc(64)]);
    longer[put - 1] = 40;
    expect(() => decodePipelineRequest(longer, noOther)).toThrow('malformed');
  });

  it('refuse a number of more bytes than one has, be it a tag, a length or of a field that nobody knows', async () => {
    const long = (first: number) => Buffer.concat([Buffer.from([first]), Buffer.alloc(200, 0x80), Buffer.from([0])]);
    const put = Buffer.from([0x0a, 1, 0x6b, 0x1a, 0]);
    for (const bytes of [
      long(0xa2),
      Buffer.concat([Buffer.from([0x22]), long(0x85)]),
      Buffer.concat([Buffer.from([0x78]), long(0x80)]),
    ]) {
      expect(() => readPart(Buffer.concat([bytes, put]))).toThrow('malformed');
      expect(() => decodePipelineRequest(Buffer.concat([bytes, put]), noOther)).toThrow('malformed');
    }
  });

  it('refuse a delete, and a get, whose content is no message, as every library does', () => {
    for (const tag of [0x22, 0x32]) {
      expect(() => decodePipelineRequest(Buffer.from([0x12, 6, 0x1a, 1, 0x6b, tag, 1, 0x0a]), noOther)).toThrow(
        'malformed',
      );
      expect(
        decodePipelineRequest(Buffer.from([0x12, 7, 0x1a, 1, 0x6b, tag, 2, 0x78, 1]), noOther).operations,
      ).toHaveLength(1);
    }
  });

  it('refuse numbers in one piece that end beyond it', () => {
    expect(() => decodePipelineRequest(Buffer.from([0x1a, 1, 0x81, 0x00]), noOther)).toThrow('malformed');
  });

  it.each([
    ['operations', [0x12, 0]],
    ['terms', [0x0a, 0, 0x0a, 2, 0x0a, 0]],
  ])('of too many %s in a message are refused before all of them are made', (_, unit) => {
    let made = 0;
    const message = Buffer.alloc(200_000 - (200_000 % unit.length), Buffer.from(unit));
    const read = (bytes: Buffer) => {
      made++;
      return pipeline.requestDeserialize(bytes) as object;
    };
    expect(() => decodePipelineRequest(message, read)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ reason: 'too-many-operations', seen: 1025 }) }),
    );
    expect(made).toBeLessThan(1100);
  });

  it('with seconds that the wire has no room for stay what a node refuses', () => {
    for (const odd of [-1, Number.NaN, 0.5, 2 ** 60, Number.POSITIVE_INFINITY]) {
      const put: Mutation = { kind: 'put', key: 'k', value: Buffer.alloc(0), expiry: { kind: 'in', seconds: odd } };
      const [one] = decodePipelineRequest(operation(1, 0, put), noOther).operations;
      expect(one?.mutation).toMatchObject({ expiry: { kind: 'in', seconds: odd > 1 ? Number.MAX_SAFE_INTEGER : 0 } });
    }
  });
});

const noSession = { vector: new Map(), stamp: '0'.repeat(32) as never };

function hashOf(bytes: Uint8Array): string {
  return `${bytes.byteLength} of ${bytes[0]} to ${bytes.at(-1)}`;
}
