import type {
  ServerReadableStream,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { MeridianError } from '../../model/errors.ts';
import type { GetAnswer } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { Upstream } from '../../model/upstream.ts';
import {
  decodeGet,
  decodeList,
  encodeGetAnswer,
  encodeListAnswer,
  type WireGetRequest,
  type WireGetResponse,
  type WireListRequest,
} from '../codec/kv-codec.ts';
import { decodeSession, type WireSession } from '../codec/record-codec.ts';
import {
  decodeDelete,
  decodePut,
  decodeWriteOptions,
  encodeWriteAnswer,
  type WireCondition,
  type WireExpiry,
  type WireWriteOptions,
  type WireWriteResponse,
} from '../codec/write-codec.ts';
import { messageBytesMax, pieceBytesMax } from '../proto.ts';
import { packGets } from './batch-get.ts';
import { callOf, type Timing } from './call-of.ts';
import { movingMessages, notIdle } from './idle.ts';
import { readable } from './strict-requests.ts';
import { respond, stream, unary, writeTo } from './unary.ts';
import { collectWrite, type WireWriteRequest } from './write-collector.ts';

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

/** Bytes of an answer besides its value: key, metadata, vectors. */
const envelopeBytes = 64 * 1024;

export function kvHandlers(upstream: Upstream, timing: Timing): UntypedServiceImplementation {
  const idle = { clock: timing.clock, idleMs: timing.requestTimeoutMs };
  return {
    Get: unary(timing, async (wire: WireGetRequest, call) => {
      checkNamespace(wire.namespace);
      const answer = await upstream.get(decodeGet(wire), call);
      checkFits(answer);
      return encodeGetAnswer(answer, { value: true });
    }),
    BatchGet: unary(timing, async ({ keys, ...wire }: WireBatchGetRequest, call) => {
      checkNamespace(wire.namespace);
      checkKeys(keys);
      const get = (key: string) => upstream.get(decodeGet({ ...wire, key }), call);
      return packGets(keys, get, messageBytesMax - envelopeBytes);
    }),
    Put: unary(timing, async (wire: WirePutRequest, call) => {
      checkNamespace(wire.namespace);
      const { namespace, key, value, metadata, expiry, condition } = wire;
      const body = { value, expiry, ...(typeof metadata === 'string' ? { metadata } : {}) };
      const mutations = [decodePut(key, body, condition)];
      const session = decodeSession(wire.session);
      return encodeWriteAnswer(
        await upstream.write({ namespace, mutations, session, ...decodeWriteOptions(wire.options) }, call),
      );
    }),
    Delete: unary(timing, async (wire: Omit<WirePutRequest, 'value' | 'metadata' | 'expiry'>, call) => {
      checkNamespace(wire.namespace);
      const { namespace, key, condition } = wire;
      const mutations = [decodeDelete(key, condition)];
      const session = decodeSession(wire.session);
      return encodeWriteAnswer(
        await upstream.write({ namespace, mutations, session, ...decodeWriteOptions(wire.options) }, call),
      );
    }),
    List: unary(timing, async (wire: WireListRequest, call) => {
      checkNamespace(wire.namespace);
      return encodeListAnswer(await upstream.list(decodeList(wire), call));
    }),
    Read: (served: ServerWritableStream<WireGetRequest, ReadMessage>) =>
      stream(timing, served, async () => {
        const request = readable(served.request);
        checkNamespace(request.namespace);
        const call = callOf(served, timing);
        const answer = await upstream.get(decodeGet(request), call);
        const send = (message: ReadMessage) =>
          notIdle(writeTo(served, message, call.signal), 'the caller read nothing', idle);
        await send({ header: encodeGetAnswer(answer, { value: false }) });
        const value = answer.record?.kind === 'live' ? answer.record.value : new Uint8Array();
        for (let at = 0; at < value.byteLength; at += pieceBytesMax) {
          await send({ chunk: value.subarray(at, at + pieceBytesMax) });
        }
      }),
    Write: (
      served: ServerReadableStream<WireWriteRequest, WireWriteResponse>,
      callback: sendUnaryData<WireWriteResponse>,
    ) =>
      respond(timing, served, callback, async (call) => {
        const request = await collectWrite(movingMessages(served, idle), checkNamespace);
        return encodeWriteAnswer(await upstream.write(request, call));
      }),
  };
}

/** The registry has a service of its own. */
function checkNamespace(name: string): void {
  if (name !== registryNamespace) return;
  throw new MeridianError('PERMISSION_DENIED', 'the registry is read and changed through the Namespaces service', {
    reason: 'registry',
  });
}

function checkFits({ record }: GetAnswer): void {
  const limit = messageBytesMax - envelopeBytes;
  if (record?.kind !== 'live' || record.value.byteLength <= limit) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the value has ${record.value.byteLength} bytes and Get answers at most ${limit}; use Read`,
    { reason: 'value-too-large-for-get', limit, seen: record.value.byteLength },
  );
}

function checkKeys(keys: readonly string[]): void {
  if (keys.length >= 1 && keys.length <= limits.batchGetKeysMax) return;
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `a batch get has 1 to ${limits.batchGetKeysMax} keys; this one has ${keys.length}`,
    { reason: 'bad-key-count', limit: limits.batchGetKeysMax, seen: keys.length },
  );
}
