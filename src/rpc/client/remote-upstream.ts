import type { MethodDefinition, ServiceError } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import type {
  DigestRequest,
  DrainProgress,
  DrainRequest,
  Member,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  Report,
  ReportRequest,
  ScopeDigest,
} from '../../model/cluster.ts';
import { hasTokenEnded, isMeridianError, MeridianError } from '../../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../model/feed.ts';
import type {
  GetAnswer,
  GetRequest,
  ListAnswer,
  ListRequest,
  ReadOptions,
  ValueWaiter,
  WriteAnswer,
  WriteRequest,
} from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import type { NamespaceChange } from '../../model/namespaces.ts';
import type { RangeDigest, RangeDigestRequest } from '../../model/range-digest.ts';
import { emptySession } from '../../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, TokenInfo } from '../../model/token.ts';
import type { Peer } from '../../model/upstream.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  decodeChange,
  decodeDigest,
  decodeMember,
  decodeNamespace,
  decodeRemovedMember,
  decodeReport,
  decodeStatus,
  type WireDigest,
  type WireMember,
  type WireNamespace,
  type WireNamespaceChange,
  type WireRemovedMember,
  type WireReport,
  type WireStatus,
} from '../codec/cluster-codec.ts';
import type { WireFollowResponse } from '../codec/feed-codec.ts';
import { EventAssembler } from '../codec/feed-messages.ts';
import { encodeOpen, encodeProbe, type WireFollowRequest } from '../codec/follow-codec.ts';
import {
  decodeGetAnswer,
  decodeListAnswer,
  encodeGet,
  encodeList,
  type WireGetRequest,
  type WireGetResponse,
  type WireListResponse,
} from '../codec/kv-codec.ts';
import { decodeRangeDigest, type WireRangeDigest } from '../codec/range-digest-codec.ts';
import { encodeSession, malformed } from '../codec/record-codec.ts';
import {
  decodeIssued,
  decodeToken,
  encodeCreateToken,
  type WireIssuedToken,
  type WireToken,
  type WireTokensPage,
} from '../codec/token-codec.ts';
import { type RpcObserver, silentRpcObserver } from '../observer.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { methods } from './methods.ts';
import { Pipeline, takesNames, takesWrite } from './pipeline.ts';
import { singleWrite } from './single-write.ts';
import { type WatchEvent, type WatchRequest, watchEvents } from './watch-events.ts';
import { sendMessages, writeMessages } from './write-messages.ts';

export interface RemoteUpstreamOptions extends ConnectionOptions {
  /** Default: nobody listens. */
  readonly observer?: RpcObserver;
  /** Whether gets and small writes share streams, if the node serves that; else each is a call. Default: no. */
  readonly pipelined?: boolean;
}

/** Milliseconds after which a node without Pipeline is asked for it again: it may be of a later version then. */
const unimplementedMs = 60_000;

export interface GetManyRequest extends Omit<GetRequest, 'key'> {
  readonly keys: readonly string[];
}

interface WireBatchGetResponse {
  readonly answers: ReadonlyArray<{ readonly key: string; readonly answer: WireGetResponse | null }>;
}

/** Another node as an Upstream; an origin reports too. Connects when it is first used, and again whenever the connection is lost. */
export class RemoteUpstream implements Peer {
  readonly address: string;
  readonly #connection: Connection;
  readonly #observer: RpcObserver;
  readonly #clock: Clock;
  readonly #isPipelined: boolean;
  /** By how many edges passed its calls up, which a stream says once: so there are few. */
  readonly #pipelines = new Map<number, Pipeline>();
  /** Until then each operation is a call, as the node has no Pipeline. */
  #aloneUntilMs = Number.NEGATIVE_INFINITY;

  constructor({ observer = silentRpcObserver, pipelined = false, ...options }: RemoteUpstreamOptions) {
    const { clock } = options;
    this.#observer = observer;
    this.#clock = clock;
    this.address = options.address;
    const connection = new Connection(options);
    this.#connection = connection;
    this.#isPipelined = pipelined;
  }

  get isConnected(): boolean {
    return this.#connection.isConnected;
  }

  /** Nothing is held on this side of the connection. */
  peek(): undefined {
    return undefined;
  }

  /**
   * A value that is too large for one message is read in pieces. If the stream that gets share breaks, each get is
   * asked once more by a call of its own: a read may be repeated.
   */
  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    const pipeline = takesNames(request.namespace, request.key) ? this.#pipelineFor(call) : undefined;
    if (pipeline === undefined) return this.#getAlone(request, call);
    return pipeline.get(request, call).catch((error: unknown) => this.goOn(error, request, call));
  }

  /** False if the stream that gets share cannot be used now: then nothing was begun. If the get fails, call `goOn`. */
  beginGet(key: string, read: ReadOptions, call: Call, waiter: ValueWaiter): boolean {
    const pipeline = takesNames(read.namespace, key) ? this.#pipelineFor(call) : undefined;
    pipeline?.getValue(key, read, call, waiter);
    return pipeline !== undefined;
  }

  /** The error of a get over the shared stream may be the stream's fault alone. @throws that error if it is not */
  async goOn(error: unknown, request: GetRequest, call: Call): Promise<GetAnswer> {
    if (!isMeridianError(error) || call.signal.aborted) throw error;
    if (error.details.reason === 'value-too-large-for-get') return this.#read(encodeGet(request), call);
    if (!this.#hasNoPipeline(error) && !isBroken(error) && !hasTokenEnded(error)) throw error;
    return this.#getAlone(request, call);
  }

  /** Undefined for a call of its own: also if it says what a stream's metadata cannot say for one of its operations. */
  #pipelineFor({ hops = 0, forwarded, credential, isProvenHere, trace }: Call): Pipeline | undefined {
    if (!this.#isPipelined || forwarded || isProvenHere || (credential ?? trace) !== undefined) return undefined;
    if (this.#clock.monotonicMs() < this.#aloneUntilMs) return undefined;
    const known = this.#pipelines.get(hops);
    if (known !== undefined) return known;
    const options = { connection: this.#connection, clock: this.#clock };
    const opened = new Pipeline({ ...options, hops: hops === 0 ? undefined : hops });
    this.#pipelines.set(hops, opened);
    return opened;
  }

  #hasNoPipeline(error: MeridianError): boolean {
    if (error.code !== 'UNIMPLEMENTED') return false;
    this.#aloneUntilMs = this.#clock.monotonicMs() + unimplementedMs;
    return true;
  }

  async #getAlone(request: GetRequest, call: Call): Promise<GetAnswer> {
    const wire = encodeGet(request);
    try {
      return decodeGetAnswer(await this.#connection.unary(methods.get, wire, call), request.key);
    } catch (error) {
      const tooLarge = isMeridianError(error) && error.details.reason === 'value-too-large-for-get';
      if (!tooLarge) throw error;
      return this.#read(wire, call);
    }
  }

  /** Up to 100 keys of one namespace: over the stream that gets share, whose messages are cheaper, or by a call of its own. */
  async getMany({ keys, ...request }: GetManyRequest, call: Call): Promise<readonly GetAnswer[]> {
    if (this.#pipelineFor(call) === undefined) return this.#getManyAlone({ keys, ...request }, call);
    const found = new Map<string, Promise<GetAnswer>>();
    const get = (key: string) => {
      const answer = found.get(key) ?? this.get({ ...request, key }, call);
      found.set(key, answer);
      return answer;
    };
    return Promise.all(keys.map(get));
  }

  /**
   * What did not fit into a message is asked for in the next one. A value that came first and yet did not fit is larger
   * than any message, and is read in pieces.
   */
  async #getManyAlone({ keys, ...request }: GetManyRequest, call: Call): Promise<readonly GetAnswer[]> {
    const { key: _key, ...wire } = encodeGet({ ...request, key: '' });
    const found = new Map<string, GetAnswer>();
    for (let [first, ...rest] = new Set(keys); first !== undefined; ) {
      const asked = { ...wire, keys: [first, ...rest] };
      const { answers } = await this.#connection.unary<unknown, WireBatchGetResponse>(methods.batchGet, asked, call);
      for (const { key, answer } of answers) if (answer) found.set(key, decodeGetAnswer(answer, key));
      if (!found.has(first)) found.set(first, await this.get({ ...request, key: first }, call));
      [first, ...rest] = rest.filter((key) => !found.has(key));
    }
    return keys.map((key) => found.get(key) ?? missing(key));
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return decodeListAnswer(
      await this.#connection.unary<unknown, WireListResponse>(methods.list, encodeList(request), call),
    );
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const pipeline = this.#pipelineFor(call);
    const mutation = pipeline && takesWrite(request);
    if (pipeline === undefined || mutation === undefined) return this.#writeAlone(request, call);
    try {
      return await pipeline.write(request, mutation, call);
    } catch (error) {
      // A node without Pipeline did nothing, nor did one for an ended token: a call of its own has the present token.
      if (!isMeridianError(error) || !(this.#hasNoPipeline(error) || hasTokenEnded(error))) throw error;
      return this.#writeAlone(request, call);
    }
  }

  async #writeAlone(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const single = singleWrite(request);
    const answer = await (single === undefined
      ? this.#streamWrite(request, call)
      : this.#connection.unary<object, WriteAnswer>(methods[single.kind], single.message, call));
    if (answer.written.length === request.mutations.length) return answer;
    // For example a node of another version that ignored what it does not know.
    const message = `of ${request.mutations.length} mutations ${this.address} says to have written ${answer.written.length}`;
    throw new MeridianError('INTERNAL', message, { reason: 'written-count' });
  }

  #streamWrite(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    return new Promise<WriteAnswer>((resolve, reject) => {
      call.signal.throwIfAborted();
      const onAnswer = (error: ServiceError | null, response?: WriteAnswer) => {
        call.signal.removeEventListener('abort', abort);
        if (error !== null) reject(error);
        else if (response === undefined) reject(new Error('an answer without a message'));
        else resolve(response);
      };
      const stream = this.#connection.start((client) =>
        client.makeClientStreamRequest<Buffer, WriteAnswer>(
          methods.write.path,
          (message) => message,
          (bytes) => methods.write.responseDeserialize(bytes) as WriteAnswer,
          this.#connection.metadata(call),
          { deadline: this.#connection.deadline(call) },
          onAnswer,
        ),
      );
      const abort = () => stream.cancel();
      call.signal.addEventListener('abort', abort, { once: true });
      // What ends the sending early ends the call, and the callback above reports it.
      sendMessages(
        stream,
        writeMessages(request, (header) => methods.write.requestSerialize(header)),
      ).catch(() => stream.cancel());
    }).catch((error: unknown) => {
      throw this.#connection.translated(error, call.signal);
    });
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const stream = this.#connection.start((client) =>
      client.makeBidiStreamRequest<WireFollowRequest, Buffer>(
        methods.follow.path,
        (message) => methods.follow.requestSerialize(message),
        (bytes) => {
          this.#observer.feedMessage('received', bytes.byteLength);
          return bytes;
        },
        this.#connection.metadata(),
      ),
    );
    const send = async function* (): AsyncGenerator<WireFollowRequest> {
      yield encodeOpen(open);
      for await (const message of messages) yield encodeProbe(message);
    };
    // If sending fails the stream has failed, which the reading side reports.
    sendMessages(stream, send()).catch(() => stream.cancel());
    const deserialize = (bytes: Buffer) => methods.follow.responseDeserialize(bytes) as WireFollowResponse;
    const assembler = new EventAssembler({ deserialize });
    for await (const message of this.#connection.messages<Buffer>(stream, signal)) {
      const event = assembler.take(message);
      if (event !== undefined) yield event;
    }
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { namespace, prefix, cursor = '', fromStart, session = emptySession } = request;
    const wire = { namespace, prefix, cursor, fromStart, session: encodeSession(session) };
    const stream = this.#stream(methods.watch, wire);
    yield* watchEvents(this.#connection.messages(stream, signal));
  }

  async create(title: string, call: Call): Promise<NamespaceChange> {
    return decodeChange(await this.#connection.unary<unknown, WireNamespaceChange>(methods.create, { title }, call));
  }

  async find(name: string, call: Call, session = emptySession): Promise<NamespaceInfo> {
    const request = { name, session: encodeSession(session) };
    return decodeNamespace(await this.#connection.unary<unknown, WireNamespace>(methods.find, request, call));
  }

  async namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    type Page = { readonly namespaces: readonly WireNamespace[]; readonly cursor: string };
    const all: NamespaceInfo[] = [];
    for await (const page of this.#pages<Page>(methods.namespaces, call)) {
      for (const namespace of page.namespaces) all.push(decodeNamespace(namespace));
    }
    return all;
  }

  async rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    return decodeChange(
      await this.#connection.unary<unknown, WireNamespaceChange>(methods.rename, { name, title }, call),
    );
  }

  async remove(name: string, call: Call): Promise<NamespaceChange> {
    return decodeChange(await this.#connection.unary<unknown, WireNamespaceChange>(methods.remove, { name }, call));
  }

  async moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    const request = { name, origin };
    return decodeChange(await this.#connection.unary<unknown, WireNamespaceChange>(methods.moveHome, request, call));
  }

  async createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken> {
    const wire = encodeCreateToken(request);
    return decodeIssued(await this.#connection.unary<unknown, WireIssuedToken>(methods.createToken, wire, call));
  }

  async tokens(call: Call): Promise<readonly TokenInfo[]> {
    const all: TokenInfo[] = [];
    for await (const { tokens } of this.#pages<WireTokensPage>(methods.tokens, call)) {
      for (const token of tokens) all.push(decodeToken(token));
    }
    return all;
  }

  async rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    return decodeIssued(await this.#connection.unary<unknown, WireIssuedToken>(methods.rotateToken, request, call));
  }

  async revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    type Revoked = { readonly revoked: readonly WireToken[] };
    const { revoked } = await this.#connection.unary<unknown, Revoked>(methods.revokeToken, { name }, call);
    return revoked.map(decodeToken);
  }

  async status(call: Call): Promise<NodeStatus> {
    return decodeStatus(await this.#connection.unary<unknown, WireStatus>(methods.status, {}, call));
  }

  async members(call: Call): Promise<readonly Member[]> {
    const answer = await this.#connection.unary<unknown, { members: WireMember[] }>(methods.members, {}, call);
    return answer.members.map(decodeMember);
  }

  async removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    return decodeRemovedMember(
      await this.#connection.unary<unknown, WireRemovedMember>(methods.removeMember, request, call),
    );
  }

  async digest(request: DigestRequest, call: Call): Promise<readonly ScopeDigest[]> {
    const wire = await this.#connection.unary<unknown, { digests: WireDigest[] }>(methods.digest, request, call);
    return wire.digests.map(decodeDigest);
  }

  async digestRange(request: RangeDigestRequest, call: Call): Promise<RangeDigest> {
    return decodeRangeDigest(
      await this.#connection.unary<unknown, WireRangeDigest>(methods.digestRange, request, call),
    );
  }

  async report(request: ReportRequest, call: Call): Promise<Report> {
    return decodeReport(await this.#connection.unary<unknown, WireReport>(methods.report, request, call));
  }

  /** Takes that node out of traffic, or tells the progress. @throws UNIMPLEMENTED by nodes of an earlier version */
  async drain(request: DrainRequest, call: Call): Promise<DrainProgress> {
    return this.#connection.unary<unknown, DrainProgress>(methods.drain, request, call);
  }

  close(): void {
    for (const pipeline of this.#pipelines.values()) pipeline.close();
    this.#connection.close();
  }

  async *#pages<P extends { readonly cursor: string }>(
    method: MethodDefinition<object, object>,
    call: Call,
  ): AsyncGenerator<P> {
    let cursor = '';
    do {
      const page = await this.#connection.unary<unknown, P>(method, { cursor }, call);
      // A node that gives the same cursor again would be asked for ever.
      if (page.cursor !== '' && page.cursor === cursor) throw malformed('the cursor of a page', cursor);
      yield page;
      cursor = page.cursor;
    } while (cursor !== '');
  }

  async #read(wire: WireGetRequest, call: Call): Promise<GetAnswer> {
    const stream = this.#stream(methods.read, wire, call, { deadline: this.#connection.deadline(call) });
    let header: WireGetResponse | undefined;
    let value: Buffer = Buffer.alloc(0);
    let received = 0;
    type Message = { readonly header?: WireGetResponse | null; readonly chunk?: Uint8Array };
    for await (const message of this.#connection.messages<Message>(stream, call.signal)) {
      if (message.header) {
        header = message.header;
        value = roomFor(header);
      } else if (message.chunk !== undefined) {
        if (received + message.chunk.length > value.length) throw malformed('a value in pieces', 'more than was said');
        value.set(message.chunk, received);
        received += message.chunk.length;
      }
    }
    if (header === undefined || received !== value.length) throw malformed('a value in pieces', received);
    return decodeGetAnswer(header, wire.key, value);
  }

  #stream(
    of: MethodDefinition<object, object>,
    request: object,
    passed: Partial<Call> = {},
    options: { readonly deadline?: number } = {},
  ) {
    return this.#connection.start((client) =>
      client.makeServerStreamRequest<object, never>(
        of.path,
        (message) => of.requestSerialize(message),
        (bytes) => of.responseDeserialize(bytes) as never,
        request,
        this.#connection.metadata(passed),
        options,
      ),
    );
  }
}

/** For all of a value at once: with all pieces in memory beside the whole, a value took twice its room. */
function roomFor({ valueBytes }: WireGetResponse): Buffer {
  if (valueBytes > limits.valueBytesMax) throw malformed('a value in pieces', `${valueBytes} bytes`);
  return Buffer.allocUnsafeSlow(valueBytes);
}

/** The connection broke, which says nothing of the node. */
function isBroken(error: MeridianError): boolean {
  return error.code === 'UNAVAILABLE' && error.details.reason === 'unavailable';
}

function missing(key: string): never {
  throw malformed('an answer to many keys', `nothing of ${key}`);
}
