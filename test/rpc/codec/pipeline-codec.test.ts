import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GetAnswer, WriteAnswer } from '../../../src/model/key-value.ts';
import type { Record } from '../../../src/model/record.ts';
import { methods } from '../../../src/rpc/client/methods.ts';
import { decodeGetAnswer, encodeGetAnswer, type WireGetResponse } from '../../../src/rpc/codec/kv-codec.ts';
import { decodePipelineRequest, encodeTerms, writeGet } from '../../../src/rpc/codec/pipeline-requests.ts';
import { type AnsweredGet, encodeGets, takeAnswers } from '../../../src/rpc/codec/pipeline-responses.ts';
import { RecordBodies, writeRecordBody } from '../../../src/rpc/codec/record-body.ts';
import { WireReader, WireWriter } from '../../../src/rpc/codec/wire-format.ts';
import { anyNamespace, anyPosition, anySession, anyStamp, anyText, anyVector } from '../../model/arbitraries.ts';

const { pipeline } = methods;
const bigNumber = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100 }));
const written = { namespace: anyNamespace, key: anyText, stamp: anyStamp, position: anyPosition };
const expiry = { expiresAt: fc.maxSafeNat() };
const anyRequestId = fc.option(fc.stringMatching(/^[\w.:+/=@-]{1,128}$/), { nil: undefined });
const anyRecord: fc.Arbitrary<Record> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('live' as const),
      ...written,
      value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      metadata: anyText,
      ...expiry,
    },
    { requiredKeys: ['kind', 'namespace', 'key', 'stamp', 'position', 'value'] },
  ),
  fc.record(
    { kind: fc.constant('tombstone' as const), ...written, ...expiry },
    { requiredKeys: ['kind', 'namespace', 'key', 'stamp', 'position'] },
  ),
);
const anyAnswer: fc.Arbitrary<GetAnswer> = fc
  .record(
    {
      record: fc.option(anyRecord, { nil: undefined }),
      namespace: anyNamespace,
      source: fc.constantFrom('origin' as const, 'copy' as const, 'cache' as const),
      bound: fc.record({
        boundMs: fc.oneof(fc.nat(10), fc.double({ min: 0, noNaN: true })),
        root: anyPosition.map(({ log }) => log),
      }),
      past: fc.boolean(),
      covered: anyVector,
      responder: anyText,
      session: anySession,
    },
    { requiredKeys: ['record', 'namespace', 'source', 'past', 'covered', 'responder', 'session'] },
  )
  .map((answer) =>
    answer.record === undefined ? answer : { ...answer, record: { ...answer.record, namespace: answer.namespace } },
  );

interface WireResponse {
  readonly provenances: ReadonlyArray<Pick<WireGetResponse, 'provenance' | 'session'>>;
  readonly answers: ReadonlyArray<{
    readonly id: number;
    readonly provenance: number;
    readonly record: WireGetResponse;
  }>;
}

const asSent = (gets: ReadonlyArray<Omit<AnsweredGet, 'body'>>): Buffer => {
  const bodies = new RecordBodies();
  const withBodies = gets.map((get) => ({ ...get, body: get.answer.record && bodies.of(get.answer.record) }));
  return encodeGets(withBodies);
};

/** A tag and the length of what follows. */
function head(tag: number, bytes: number): Buffer {
  const writer = new WireWriter(16);
  writer.head(tag, bytes);
  return writer.written();
}

/** The content of the first field of a message, and where it ends. */
function firstPart(message: Buffer): { readonly part: Buffer; readonly at: number } {
  const reader = new WireReader(message);
  reader.varint();
  const part = reader.bytes();
  return { part, at: reader.at };
}

describe('the messages of a pipeline', () => {
  it('carry a record in the bytes that the loader of .proto files makes of it', () => {
    fc.assert(
      fc.property(anyAnswer, (answer) => {
        const { record } = answer;
        const body = record && new RecordBodies().of(record);
        const writer = new WireWriter(body?.bytes ?? 0);
        if (body !== undefined) writeRecordBody(writer, body);
        const { provenance: _, session: __, ...wire } = encodeGetAnswer(answer, { value: true });
        // What is at its default is left out, as proto3 has it.
        const said: { [field: string]: unknown } = Object.fromEntries(
          Object.entries(wire).filter(([, value]) => value !== false && value !== '' && value !== 0 && value !== null),
        );
        if (wire.value.byteLength === 0) delete said['value'];
        if (record !== undefined && record.position.sequence === 0) said['position'] = { log: record.position.log };
        if (record !== undefined && record.expiresAt !== undefined) said['expiresAt'] = record.expiresAt;
        if (record?.kind === 'live' && record.metadata !== undefined) said['metadata'] = record.metadata;
        expect(writer.written()).toEqual(Buffer.from(methods.get.responseSerialize(said)));
      }),
      { numRuns: 500 },
    );
  });

  it('tell another reader of the .proto files what each answer says, with provenance and session', () => {
    fc.assert(
      fc.property(fc.array(anyAnswer, { minLength: 1, maxLength: 6 }), (answers) => {
        const gets = answers.map((answer, id) => ({ id, answer, terms: answer }));
        const wire = methods.pipeline.responseDeserialize(asSent(gets)) as WireResponse;
        for (const [index, { id, provenance, record }] of wire.answers.entries()) {
          const answer = answers[index];
          if (answer === undefined) throw new Error('more answers than there were');
          const decoded = decodeGetAnswer({ ...record, ...wire.provenances[provenance] }, answer.record?.key ?? '');
          expect(id).toBe(index);
          expect(decoded).toEqual(answer);
        }
      }),
    );
  });

  it('are read as they were written, also where the loader of .proto files wrote them', () => {
    fc.assert(
      fc.property(fc.array(anyAnswer, { minLength: 1, maxLength: 6 }), bigNumber, (answers, firstId) => {
        const gets = answers.map((answer, index) => ({ id: firstId + index, answer, terms: answer }));
        const sent = asSent(gets);
        for (const bytes of [sent, pipeline.responseSerialize(pipeline.responseDeserialize(sent))]) {
          const got = new Map<number, GetAnswer>();
          const values = new Map<number, Uint8Array | undefined>();
          for (const isOfValue of [true, false]) {
            takeAnswers(Buffer.from(bytes), pipeline.responseDeserialize, {
              wanted: (id) => ({ key: answers[id - firstId]?.record?.key ?? '', isOfValue }),
              got: (id, answer) => got.set(id, answer),
              gotValue: (id, value, session) => {
                values.set(id, value);
                expect(session).toEqual(answers[id - firstId]?.session);
              },
              written: (_id: number, _answer: WriteAnswer) => {},
              failed: () => {},
            });
          }
          expect([...got]).toEqual(gets.map(({ id, answer }) => [id, answer]));
          const valueIn = ({ record }: GetAnswer) => (record?.kind === 'live' ? Buffer.from(record.value) : undefined);
          expect([...values]).toEqual(gets.map(({ id, answer }) => [id, valueIn(answer)]));
        }
      }),
    );
  });

  it('share a provenance among answers of the same terms, whose sessions are joined, and no others', () => {
    const [answer] = fc.sample(anyAnswer, { numRuns: 1, seed: 7 });
    if (answer === undefined) throw new Error('nothing was drawn');
    const [mine, theirs] = [{}, {}];
    const gets = [mine, mine, theirs, mine].map((terms, id) => ({ id, answer, terms }));
    const wire = methods.pipeline.responseDeserialize(asSent(gets)) as WireResponse;
    expect(wire.answers.map(({ provenance }) => provenance)).toEqual([0, 0, 1, 0]);
    expect(wire.provenances).toHaveLength(2);
  });

  it('ask in the bytes that the loader of .proto files makes of gets, and read both alike', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bigNumber, fc.nat(3), anyText, anyRequestId)), anySession, (gets, session) => {
        const writer = new WireWriter(10_000);
        for (const [id, terms, key, requestId] of gets) writeGet(writer, { id, terms, requestId }, key);
        const operations = gets.map(([id, terms, key, requestId]) => ({
          ...(id > 0 ? { id } : {}),
          ...(terms > 0 ? { terms } : {}),
          key,
          get: {},
          ...(requestId === undefined ? {} : { requestId }),
        }));
        expect(writer.written()).toEqual(Buffer.from(pipeline.requestSerialize({ operations })));
        const terms = encodeTerms(
          { read: { namespace: 'n', session, maxStalenessMs: 5 }, write: {}, timeoutMs: 7 },
          pipeline.requestSerialize,
        );
        const read = decodePipelineRequest(Buffer.concat([terms, writer.written()]), pipeline.requestDeserialize);
        expect(read.operations).toEqual(
          gets.map(([id, terms, key, requestId]) => ({ id, terms, key, ...(requestId && { requestId }) })),
        );
        const get = { namespace: 'n', key: '', session, maxStalenessMs: 5 };
        expect(read.terms).toEqual([{ namespace: 'n', session, get, write: {}, timeoutMs: 7 }]);
      }),
    );
  });

  it('are read past what a later version may add, numbers below zero among it', () => {
    const [answer] = fc.sample(anyAnswer, { numRuns: 1, seed: 7 });
    if (answer === undefined) throw new Error('nothing was drawn');
    const sent = asSent([{ id: 1, answer, terms: answer }]);
    // Field 15: -1 as a varint, eight bytes, a text, four bytes; in the message, and at the end of the first part of it.
    const added = Buffer.from('78ffffffffffffffffff01' + '790102030405060708' + '7a03616263' + '7d01020304', 'hex');
    const { at: end, part } = firstPart(sent);
    const within = Buffer.concat([head(0x0a, part.length + added.length), part, added, sent.subarray(end), added]);
    for (const bytes of [sent, within]) {
      const got: GetAnswer[] = [];
      takeAnswers(bytes, pipeline.responseDeserialize, {
        wanted: () => ({ key: answer.record?.key ?? '', isOfValue: false }),
        got: (_id, each) => got.push(each),
        gotValue: () => {},
        written: () => {},
        failed: () => {},
      });
      expect(got).toEqual([answer]);
    }
  });

  it('refuse what is cut short wherever that is, and read nothing beyond', () => {
    const [answer] = fc.sample(anyAnswer, { numRuns: 1, seed: 3 });
    if (answer === undefined) throw new Error('nothing was drawn');
    const sent = asSent([{ id: 1, answer, terms: answer }]);
    const silent = {
      wanted: () => ({ key: 'k', isOfValue: false }),
      got: () => {},
      gotValue: () => {},
      written: () => {},
      failed: () => {},
    };
    let refused = 0;
    for (let bytes = 1; bytes < sent.length; bytes++) {
      try {
        takeAnswers(sent.subarray(0, bytes), pipeline.responseDeserialize, silent);
      } catch {
        refused++;
      }
    }
    // Between two fields a message may end.
    expect(refused).toBeGreaterThan(sent.length - 4);
  });
});
