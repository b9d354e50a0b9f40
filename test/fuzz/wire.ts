import { MeridianError } from '../../src/model/errors.ts';
import type { FollowOpen } from '../../src/model/feed.ts';
import type { Mutation, WriteAnswer } from '../../src/model/key-value.ts';
import { limits } from '../../src/model/limits.ts';
import { emptySession } from '../../src/model/session.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { writeMessages } from '../../src/rpc/client/write-messages.ts';
import type { WireFollowResponse } from '../../src/rpc/codec/feed-codec.ts';
import { EventAssembler, eventMessages } from '../../src/rpc/codec/feed-messages.ts';
import { decodeOpen, decodeProbe, encodeOpen, type WireFollowRequest } from '../../src/rpc/codec/follow-codec.ts';
import {
  decodeGet,
  decodeGetAnswer,
  decodeList,
  encodeGet,
  type WireGetRequest,
  type WireGetResponse,
  type WireListRequest,
} from '../../src/rpc/codec/kv-codec.ts';
import { measured } from '../../src/rpc/codec/mutation-fields.ts';
import {
  decodePipelineRequest,
  encodeTerms,
  writeBytesMax,
  writeGet,
  writeWrite,
} from '../../src/rpc/codec/pipeline-requests.ts';
import { encodeFailure, encodeWritten, takeAnswers } from '../../src/rpc/codec/pipeline-responses.ts';
import { WireWriter } from '../../src/rpc/codec/wire-format.ts';
import { decodeWriteAnswer, encodeWriteAnswer } from '../../src/rpc/codec/write-answer.ts';
import { services } from '../../src/rpc/proto.ts';
import { MessageFrames } from '../../src/rpc/server/message-frames.ts';
import { readable, strictService } from '../../src/rpc/server/strict-requests.ts';
import { collectWrite, readWritePart, type WritePart } from '../../src/rpc/server/write-collector.ts';
import { decodeStatusDetail, encodeStatusDetail } from '../../src/rpc/status-detail.ts';
import { logs, namespaces } from '../model/arbitraries.ts';
import { check, type FuzzTarget, orRefused, parted } from './target.ts';

/** Protobuf's own library says no more than that a message is none of its type. */
const isUnreadable = (error: unknown) => error instanceof Error;
const { follow, pipeline } = methods;
const strict = Object.values(services).flatMap(({ service }) => Object.values(strictService(service)));
const namespace = namespaces[1] ?? ('' as never);
const stamp = `${'0'.repeat(15)}1${logs[0]}` as never;
const position = { log: logs[0] ?? ('' as never), sequence: 3 };

/** What a follower sends when it opens a stream, and its probes. */
const feedRequests: FuzzTarget = {
  name: 'feed-requests',
  run: (bytes) => {
    const wire = orRefused(() => follow.requestDeserialize(bytes), isUnreadable) as WireFollowRequest | undefined;
    if (wire?.open) orRefused(() => decodeOpen(wire.open as never));
    if (wire?.probe) orRefused(() => decodeProbe(wire.probe as never));
  },
  seeds: () => {
    const node = { name: 'fra', role: 'edge', id: '1'.repeat(16), region: 'eu' } as const;
    const filter = { includes: [{ namespace, prefix: 'a' }], excludes: [] };
    const starts: FollowOpen['start'][] = [
      { kind: 'nothing' },
      { kind: 'cursor', cursor: new Map([[position.log, 2]]) },
    ];
    return starts.map((start) => {
      const open = { protocol: 2, node, nonce: 'n', role: 'copy', filter, values: { kind: 'all' }, start } as const;
      return follow.requestSerialize(encodeOpen(open) as object);
    });
  },
};

/** What a follower is sent. The input is several messages, each behind its length in two bytes. */
const feedEvents: FuzzTarget = {
  name: 'feed-events',
  run: (bytes) => {
    const deserialize = (message: Buffer) => follow.responseDeserialize(message) as WireFollowResponse;
    const assembler = new EventAssembler({ deserialize });
    for (let at = 0; at + 2 <= bytes.length; ) {
      const end = at + 2 + bytes.readUInt16BE(at);
      const event = orRefused(() => assembler.take(bytes.subarray(at + 2, end)), isUnreadable);
      if (event === undefined) return;
      at = end;
    }
  },
  seeds: () => {
    const serialize = (message: object) => follow.responseSerialize(message);
    const written = { namespace, key: 'k', stamp, position };
    const records = [
      { kind: 'live', ...written, value: Buffer.from('v'), metadata: '{}' },
      { kind: 'tombstone', ...written },
      { kind: 'announcement', ...written, valueBytes: 9 },
    ] as const;
    const vector = new Map([[position.log, 3]]);
    const events = [
      { kind: 'changes', records, step: { vector, stable: vector } },
      { kind: 'caught-up', vector, stable: vector, floor: new Map() },
      { kind: 'echo', id: 1, wallMs: 5 },
    ] as const;
    return [Buffer.concat(events.flatMap((event) => [...eventMessages(event, { serialize })].flatMap(framed)))];
  },
};

function framed(message: Buffer): readonly Buffer[] {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length);
  return [head, message];
}

const pipelineRequests: FuzzTarget = {
  name: 'pipeline-requests',
  run: (bytes) => {
    const request = orRefused(
      () => decodePipelineRequest(bytes, (part) => pipeline.requestDeserialize(part)),
      isUnreadable,
    );
    for (const { id, key } of request?.operations ?? []) {
      check(Number.isSafeInteger(id) && id >= 0, 'an operation has an id', id);
      check(key.isWellFormed(), 'a key is text', key);
    }
  },
  seeds: () => {
    const serialize = (message: object) => pipeline.requestSerialize(message);
    const terms = { read: { namespace, session: emptySession }, timeoutMs: 100 } as never;
    const get = new WireWriter(64);
    writeGet(get, { id: 1, terms: 0, requestId: 'order-17' }, 'key');
    return [get.written(), ...[put, removal].map((mutation) => writeOf(2, mutation))].map((operation) => {
      return Buffer.concat([
        orRefused(() => encodeTerms(terms, serialize), isUnreadable) ?? Buffer.alloc(0),
        operation,
      ]);
    });
  },
};

const put: Mutation = {
  kind: 'put',
  key: 'k',
  value: Buffer.from('v'),
  metadata: '{}',
  expiry: { kind: 'in', seconds: 60 },
};
const removal: Mutation = { kind: 'delete', key: 'k', condition: { kind: 'version', version: stamp } };

function writeOf(id: number, mutation: Mutation): Buffer {
  const measure = measured(mutation);
  const writer = new WireWriter(writeBytesMax(measure));
  writeWrite(writer, { id, terms: 0, requestId: undefined }, measure);
  return writer.written();
}

/** The messages of a batch, each behind its length in two bytes. */
const batches: FuzzTarget = {
  name: 'batches',
  run: async (bytes) => {
    async function* parts(): AsyncGenerator<WritePart> {
      for (let at = 0; at + 2 <= bytes.length; ) {
        const end = at + 2 + bytes.readUInt16BE(at);
        yield readWritePart(bytes.subarray(at + 2, end), (header) => methods.write.requestDeserialize(header));
        at = end;
      }
    }
    const batch = await collectWrite(parts(), limits.batchBytesMax, () => {}).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
    });
    for (const { key } of batch?.mutations ?? []) check(key.isWellFormed(), 'a key is text', key);
  },
  seeds: () => {
    const request = { namespace, mutations: [put, removal], session: emptySession };
    return [Buffer.concat([...writeMessages(request, methods.write.requestSerialize)].flatMap(framed))];
  },
};

/** What a client is told of its writes. */
const writeAnswers: FuzzTarget = {
  name: 'write-answers',
  run: (bytes) => {
    orRefused(() => decodeWriteAnswer(bytes), isUnreadable);
  },
  seeds: () => [encodeWriteAnswer(answer)],
};

const answer: WriteAnswer = {
  namespace,
  origin: '1'.repeat(16) as never,
  written: [{ stamp, position, expiresAt: 9 }],
  durability: 'majority',
  covered: new Map([[position.log, 3]]),
  session: { vector: new Map([[position.log, 3]]), stamp },
};

const pipelineResponses: FuzzTarget = {
  name: 'pipeline-responses',
  run: (bytes) => {
    const ignore = () => {};
    for (const isOfValue of [false, true]) {
      const wanted = (id: number) => ({ key: `key ${id}`, isOfValue });
      const taker = { wanted, got: ignore, gotValue: ignore, written: ignore, failed: ignore };
      orRefused(() => takeAnswers(bytes, (part) => pipeline.responseDeserialize(part), taker), isUnreadable);
    }
  },
  seeds: () => {
    const serialize = (message: object) => pipeline.responseSerialize(message);
    const failed = new MeridianError('NOT_FOUND', 'none', { reason: 'r', limit: 3 });
    // An answer of a get without its provenance.
    return [
      encodeWritten(1, answer),
      encodeFailure(1, 5, failed, serialize),
      Buffer.from([0x12, 0x06, 0x08, 0x01, 0x10, 0x00, 0x1a, 0x00]),
    ];
  },
};

/** Any request of any method, as the server reads it: of the texts of a request none is broken. */
const requests: FuzzTarget = {
  name: 'requests',
  run: (bytes) => {
    const method = strict[(bytes[0] ?? 0) % strict.length];
    const message = orRefused(() => readable(method?.requestDeserialize(bytes.subarray(1))));
    if (message !== undefined && !(message instanceof Buffer)) checkTexts(message);
    const rest = bytes.subarray(1);
    const get = orRefused(() => methods.get.requestDeserialize(rest) as WireGetRequest, isUnreadable);
    if (get !== undefined) orRefused(() => decodeGet(get));
    const list = orRefused(() => methods.list.requestDeserialize(rest) as WireListRequest, isUnreadable);
    if (list !== undefined) orRefused(() => decodeList(list));
    const answer = orRefused(() => methods.get.responseDeserialize(rest) as WireGetResponse, isUnreadable);
    if (answer !== undefined) orRefused(() => decodeGetAnswer(answer, 'k'));
    const detail = orRefused(() => decodeStatusDetail(rest), isUnreadable);
    if (detail !== undefined) encodeStatusDetail(detail);
  },
  seeds: () => {
    const get = methods.get.requestSerialize(encodeGet({ namespace, key: 'k', session: emptySession }) as object);
    const details = { reason: 'r', limit: 1, retryAfterMs: 3 };
    const detail = encodeStatusDetail({ grpcCode: 3, message: 'm', code: 'INVALID_ARGUMENT', details });
    return [get, detail].map((bytes) => Buffer.concat([Buffer.from([0]), bytes]));
  },
};

function checkTexts(value: unknown): void {
  if (typeof value === 'string')
    check(value.isWellFormed() && !value.includes('\ufffd\ufffd\ufffd\ufffd'), 'texts are UTF-8', value);
  else if (Array.isArray(value)) value.forEach(checkTexts);
  else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    Object.values(value).forEach(checkTexts);
  }
}

/** gRPC's frames, however they are cut: the first part says where. */
const frames: FuzzTarget = {
  name: 'message-frames',
  run: (bytes) => {
    const [cuts, stream] = parted(bytes);
    const seenWith = (pieces: readonly Buffer[]) => {
      const seen: number[] = [];
      const follower = new MessageFrames(
        (length) => seen.push(length),
        () => seen.push(-1),
      );
      for (const piece of pieces) follower.take(piece);
      return seen.join();
    };
    const pieces: Buffer[] = [];
    let at = 0;
    for (const cut of cuts) {
      pieces.push(stream.subarray(at, at + cut));
      at += cut;
    }
    check(
      seenWith([...pieces, stream.subarray(at)]) === seenWith([stream]),
      'frames are the same however they are cut',
      [...cuts],
    );
  },
  seeds: () => [Buffer.from([2, 3, 4, 0, 0, 0, 0, 3, 97, 98, 99, 0, 0, 0, 0, 0])],
};

export const wireTargets: readonly FuzzTarget[] = [
  ...[feedRequests, feedEvents, pipelineRequests, pipelineResponses, batches, writeAnswers, requests, frames],
];
