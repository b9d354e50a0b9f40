import type {
  ServerReadableStream,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import { type GetRequest, type ListAnswer, valueBytesOf, type WriteRequest } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import { nextTurn } from '../../runtime/next-turn.ts';
import {
  decodeGet,
  decodeList,
  encodeGetAnswer,
  encodeGetBytes,
  encodeListAnswer,
  type WireGetRequest,
  type WireGetResponse,
  type WireListRequest,
} from '../codec/kv-codec.ts';
import type { RecordBodies } from '../codec/record-body.ts';
import { decodeSession, type WireSession } from '../codec/record-codec.ts';
import { encodeWriteAnswer } from '../codec/write-answer.ts';
import {
  decodeDelete,
  decodePut,
  decodeWriteOptions,
  type WireCondition,
  type WireExpiry,
  type WireWriteOptions,
} from '../codec/write-codec.ts';
import { messageBytesMax, pieceBytesMax } from '../proto.ts';
import { packGets } from './batch-get.ts';
import type { Timing } from './call-of.ts';
import { HeldAnswers } from './held-answers.ts';
import { movingMessages, notIdle } from './idle.ts';
import { checkFits, checkNamespace, envelopeBytes, isSmallHit } from './kv-checks.ts';
import { readable } from './strict-requests.ts';
import { respond, sendTo, stream, unary } from './unary.ts';
import { collectWrite, type WritePart } from './write-collector.ts';

interface WirePutRequest {
  readonly namespace: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly metadata?: string | null;
  readonly expiry: WireExpiry | null;
  readonly condition: WireCondition | null;
  readonly options: WireWriteOptions | null;
  readonly session: WireSession | null;
}

interface WireBatchGetRequest extends Omit<WireGetRequest, 'key'> {
  readonly keys: readonly string[];
}

interface ReadMessage {
  readonly header?: WireGetResponse;
  readonly chunk?: Uint8Array;
}

/** Bytes of a listed key besides its name and metadata: its version, tags and lengths. */
const listedBytes = 64;
/** No title begins with this: the sizes of a namespace's lists are remembered under it. */
const listsOf = '\0lists:';

export interface KvHandlersOptions {
  readonly room: AnswerRoom;
  readonly bodies: RecordBodies;
  /** Bytes of the largest batch. */
  readonly requestBytesMax: number;
  /** Encodes a GetResponse from its parts. */
  readonly serializeGet: (message: object) => Buffer;
}

export function kvHandlers(kv: KvHandlersOptions, timing: Timing): UntypedServiceImplementation {
  const { room } = kv;
  const getOne = async (upstream: Upstream, request: GetRequest, call: Call, held: HeldAnswers) => {
    checkNamespace(request.namespace);
    const answer = await held.one(request, () => upstream.get(request, call), valueBytesOf);
    checkFits(answer);
    return encodeGetAnswer(answer, { value: true });
  };
  const idle = { clock: timing.clock, idleMs: timing.requestTimeoutMs };
  return {
    Get: unary<WireGetRequest, WireGetResponse | Buffer>(timing, (wire, call, upstream, served) => {
      const request = decodeGet(wire);
      return encodeHit(upstream, request, kv) ?? getOne(upstream, request, call, new HeldAnswers(room, served, call));
    }),
    BatchGet: unary(timing, async ({ keys, ...wire }: WireBatchGetRequest, call, upstream, served) => {
      checkNamespace(wire.namespace);
      checkKeys(keys);
      const { namespace } = wire;
      const asked = decodeGet({ ...wire, key: '' });
      const bytesMax = messageBytesMax - envelopeBytes;
      const held = new HeldAnswers(room, served, call);
      if (room.expected(namespace) > 0) await held.reserve(bytesMax);
      const get = (key: string) => {
        const request = { ...asked, key };
        const hit = upstream.peek(request);
        return hit !== undefined && isSmallHit(hit, room)
          ? hit
          : held.within({ namespace, key }, () => upstream.get(request, call), valueBytesOf);
      };
      return packGets(keys, get, { bytesMax, known: (key) => room.known(namespace, key) });
    }),
    Put: unary(timing, async (wire: WirePutRequest, call, upstream) => {
      checkNamespace(wire.namespace);
      const { namespace, key, value, metadata, expiry, condition } = wire;
      const body = { value, expiry, ...(typeof metadata === 'string' ? { metadata } : {}) };
      const mutations = [decodePut(key, body, condition)];
      const session = decodeSession(wire.session);
      return encodeWriteAnswer(
        await upstream.write({ namespace, mutations, session, ...decodeWriteOptions(wire.options) }, call),
      );
    }),
    Delete: unary(timing, async (wire: Omit<WirePutRequest, 'value' | 'metadata' | 'expiry'>, call, upstream) => {
      checkNamespace(wire.namespace);
      const { namespace, key, condition } = wire;
      const mutations = [decodeDelete(key, condition)];
      const session = decodeSession(wire.session);
      return encodeWriteAnswer(
        await upstream.write({ namespace, mutations, session, ...decodeWriteOptions(wire.options) }, call),
      );
    }),
    List: unary(timing, async (wire: WireListRequest, call, upstream, served) => {
      checkNamespace(wire.namespace);
      const held = new HeldAnswers(room, served, call);
      // A namespace's lists are about as large as each other, and say nothing of its values.
      const name = { namespace: `${listsOf}${wire.namespace}`, key: '' };
      return encodeListAnswer(await held.one(name, () => upstream.list(decodeList(wire), call), listBytesOf));
    }),
    Read: (served: ServerWritableStream<WireGetRequest, ReadMessage>) =>
      stream(timing, served, async (call) => {
        const upstream = timing.enter(served);
        const wire = readable(served.request);
        checkNamespace(wire.namespace);
        const request = decodeGet(wire);
        const held = new HeldAnswers(room, served, call);
        // Read is for values that Get does not answer, so the value counts as large unless the node knows better.
        const name = { ...request, expectedBytesMin: limits.valueBytesMax };
        const answer = await held.one(name, () => upstream.get(request, call), valueBytesOf);
        const send = (message: ReadMessage) =>
          notIdle(sendTo(served, message, call.signal), 'the caller read nothing', idle);
        await send({ header: encodeGetAnswer(answer, { value: false }) });
        const value = answer.record?.kind === 'live' ? answer.record.value : new Uint8Array();
        for (let at = 0; at < value.byteLength; at += pieceBytesMax) {
          await send({ chunk: value.subarray(at, at + pieceBytesMax) });
        }
      }),
    Write: (served: ServerReadableStream<WritePart, Buffer>, callback: sendUnaryData<Buffer>) =>
      respond(timing, served, callback, async (call, upstream) => {
        const request = await wholeWrite(
          collectWrite(movingMessages(served, idle), kv.requestBytesMax, checkNamespace),
          call,
        );
        return encodeWriteAnswer(await upstream.write(request, call));
      }),
  };
}

/**
 * A batch whose caller did not go away meanwhile. A client of Node.js that gives a call up in the middle first ends it,
 * as if that were all, and resets it in a packet of its own right after: so two turns pass before the batch counts as
 * whole. A later reset is not waited for: the size in its header tells whether a batch is whole.
 * @throws CANCELLED, INVALID_ARGUMENT
 */
async function wholeWrite(collected: Promise<WriteRequest>, call: Call): Promise<WriteRequest> {
  try {
    return await collected;
  } finally {
    await nextTurn();
    await nextTurn();
    // Before the error of the stream of a caller who went away.
    call.signal.throwIfAborted();
  }
}

/** A GetResponse from memory; undefined if `get` must be asked, or if it needs room that others may need. */
function encodeHit(
  upstream: Upstream,
  request: GetRequest,
  { room, bodies, serializeGet }: KvHandlersOptions,
): Buffer | undefined {
  const hit = upstream.peek(request);
  if (hit === undefined || !isSmallHit(hit, room)) return undefined;
  return encodeGetBytes(hit, bodies, serializeGet);
}

function listBytesOf({ keys }: ListAnswer): number {
  return keys.reduce((sum, { key, metadata }) => sum + key.length + (metadata?.length ?? 0) + listedBytes, 0);
}

function checkKeys(keys: readonly string[]): void {
  if (keys.length >= 1 && keys.length <= limits.batchGetKeysMax) return;
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `a batch get has 1 to ${limits.batchGetKeysMax} keys; this one has ${keys.length}`,
    { reason: 'bad-key-count', limit: limits.batchGetKeysMax, seen: keys.length },
  );
}
