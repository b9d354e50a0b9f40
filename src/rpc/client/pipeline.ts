import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { type ErrorCode, isMeridianError, MeridianError } from '../../model/errors.ts';
import type {
  GetAnswer,
  GetRequest,
  ReadOptions,
  ValueWaiter,
  WriteAnswer,
  WriteRequest,
} from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { Session } from '../../model/session.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Deadlines } from '../../runtime/deadlines.ts';
import { Line } from '../../runtime/line.ts';
import { type MeasuredMutation, measured } from '../codec/mutation-fields.ts';
import {
  encodeCancel,
  encodeTerms,
  getBytesMax,
  type Terms,
  termsBytesMax,
  writeBytesMax,
  writeGet,
  writeWrite,
} from '../codec/pipeline-requests.ts';
import { type AnswerTaker, takeAnswers, type WantedGet, type WireFailure } from '../codec/pipeline-responses.ts';
import { WireWriter } from '../codec/wire-format.ts';
import { fromFailure } from '../status.ts';
import type { Connection } from './connection.ts';
import { methods } from './methods.ts';
import { OpenOperations } from './open-operations.ts';
import { SharedSignals, type Signalled } from './shared-signals.ts';

/*
 * Gets and single writes of one client over one stream. What is issued in one turn of the event loop travels in one
 * message, which is sent when the turn ends: there is no timer, and a single operation waits for nothing.
 *
 *     turn 1    get a, get b, put c          → one message: ids 1, 2, 3
 *               ← answers to 1 and 2         both resolve in one turn, and what their callers issue then is turn 2
 *     turn 2    get d                        → one message: id 4
 *               ← answer to 3                c is on disk
 */

const bounds = {
  /** Operations of one message, and their bytes, at the most; a larger operation has a message of its own. */
  messageOperationsMax: 512,
  messageBytesMax: 256 * 1024,
  /** Operations that are sent and not answered. */
  sentMax: 1024,
  /** Operations that wait to be sent; one more is refused. */
  waitingMax: 1024 * 1024,
} as const;

/** Bytes of a put in a message, at the most: a larger one goes by itself. */
const putBytesMax = 64 * 1024;

/** Hears the outcome of an operation: a promise, or something cheaper. */
interface Waiter {
  readonly resolve?: (answer: GetAnswer & WriteAnswer) => void;
  readonly value?: ValueWaiter['value'];
  reject(error: unknown): void;
}

interface Operation extends WantedGet, Signalled<Operation> {
  readonly id: number;
  readonly terms: TermsOf;
  /** Unset = a get. */
  readonly mutation: MeasuredMutation | undefined;
  readonly call: Call;
  readonly waiter: Waiter;
  isSent: boolean;
}

/** The terms of an operation, as far as operations may share them: they do if all of them are the same. */
type TermsOf = Pick<Terms, 'read' | 'write'>;

const noWrite: TermsOf['write'] = {};

export interface PipelineOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** For the stream: the hops that its calls were passed on by. */
  readonly hops: number | undefined;
}

export class Pipeline implements AnswerTaker {
  readonly #options: PipelineOptions;
  readonly #deadlines: Deadlines;
  readonly #signals = new SharedSignals<Operation>((operation) => {
    this.#giveUp(operation, cancelled(operation.call.signal));
  });
  readonly #open = new OpenOperations<Operation>();
  #waiting = new Line<Operation>();
  /** Of those, how many were given up. */
  #givenUp = 0;
  #sent = 0;
  #cancelled: number[] = [];
  #lastTerms: { readonly terms: TermsOf; readonly timeoutMs: number; readonly bytes: Buffer } | undefined;
  #lastRead: TermsOf | undefined;
  #isPlanned = false;
  #isDraining = true;
  /** The node has answered over the present stream: it took it. */
  #isServed = false;
  #isClosed = false;
  #stream: ClientDuplexStream<Buffer, Buffer> | undefined;
  /** Messages sent so far: a test counts them. */
  messages = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, (nowMs) => this.#endLate(nowMs));
  }

  /** @throws as `KeyValue.get`; for UNIMPLEMENTED and a broken stream see `RemoteUpstream.goOn` */
  get(request: GetRequest, call: Call): Promise<GetAnswer> {
    return this.#promised(request.key, { read: request, write: noWrite }, undefined, call);
  }

  /** As `get`, for a caller that wants the value alone: `waiter` is told once, later. */
  getValue(key: string, read: ReadOptions, call: Call, waiter: ValueWaiter): void {
    this.#issue({ key, terms: this.#termsOf(read), mutation: undefined, call, waiter, isOfValue: true });
  }

  /** One mutation that `takesWrite` accepts. @throws as `KeyValue.write`; and as `get` */
  write(request: WriteRequest, measure: MeasuredMutation, call: Call): Promise<WriteAnswer> {
    return this.#promised(measure.mutation.key, { read: request, write: request }, measure, call);
  }

  /** Idempotent. Operations that are not answered fail with CANCELLED. */
  close(): void {
    this.#isClosed = true;
    this.#deadlines.stop();
    const stream = this.#stream;
    this.#break(new MeridianError('CANCELLED', 'the client is closed', { reason: 'cancelled' }));
    stream?.cancel();
  }

  #promised(
    key: string,
    terms: TermsOf,
    mutation: MeasuredMutation | undefined,
    call: Call,
  ): Promise<GetAnswer & WriteAnswer> {
    return new Promise((resolve, reject) => {
      this.#issue({ key, terms, mutation, call, waiter: { resolve, reject }, isOfValue: false });
    });
  }

  #issue(asked: Omit<Operation, 'id' | 'isSent' | keyof Signalled<Operation>>): void {
    const { key, terms, mutation, call, waiter, isOfValue } = asked;
    const refused = this.#refusal(call);
    if (refused !== undefined) {
      waiter.reject(refused);
      return;
    }
    const id = this.#open.nextId();
    const operation: Operation = {
      id,
      key,
      terms,
      mutation,
      call,
      waiter,
      isOfValue,
      isSent: false,
      uses: undefined,
      before: undefined,
      after: undefined,
    };
    this.#open.add(operation);
    this.#waiting.push(operation);
    this.#deadlines.add(call.deadlineMs);
    this.#signals.add(call.signal, operation);
    this.#plan();
  }

  /** The same object for the same request again: a reader of one namespace has one for all gets of a session. */
  #termsOf(read: ReadOptions): TermsOf {
    if (this.#lastRead?.read !== read) this.#lastRead = { read, write: noWrite };
    return this.#lastRead;
  }

  #refusal({ signal }: Call): MeridianError | undefined {
    if (this.#isClosed || signal.aborted) return cancelled(signal);
    if (this.#waiting.length - this.#givenUp < bounds.waitingMax) return undefined;
    return new MeridianError('RESOURCE_EXHAUSTED', `${bounds.waitingMax} operations wait to be sent`, {
      reason: 'pipeline-full',
      limit: bounds.waitingMax,
    });
  }

  /** Sends at the end of this turn: after all that its promises still do. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    process.nextTick(() => {
      this.#isPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#isClosed) return;
    while (this.#isDraining && this.#waiting.length > 0 && this.#sent < bounds.sentMax) {
      const stream = this.#stream ?? this.#connected();
      if (stream === undefined) return;
      this.#write(stream, this.#take());
    }
    if (this.#cancelled.length > 0 && this.#isDraining && this.#stream !== undefined) this.#write(this.#stream, []);
  }

  /** The next operations that one message holds, without those that ended meanwhile. */
  #take(): Operation[] {
    const taken: Operation[] = [];
    let bytes = 0;
    let looked = 0;
    let before: Operation | undefined;
    const most = Math.min(bounds.messageOperationsMax, bounds.sentMax - this.#sent);
    for (; looked < this.#waiting.length && taken.length < most; looked++) {
      const operation = this.#waiting.at(looked);
      if (operation === undefined) break;
      if (this.#open.get(operation.id) !== undefined) {
        bytes += bytesMaxOf(operation) + (haveSameTerms(before, operation) ? 0 : termsBytesMax(operation.terms.read));
        if (bytes > bounds.messageBytesMax && taken.length > 0) break;
        taken.push(operation);
        before = operation;
      } else this.#givenUp--;
    }
    this.#waiting.drop(looked);
    return taken;
  }

  #write(stream: ClientDuplexStream<Buffer, Buffer>, operations: readonly Operation[]): void {
    const message = this.#encode(operations);
    if (message.length === 0) return;
    this.messages++;
    this.#isDraining = stream.write(message);
  }

  #encode(operations: readonly Operation[]): Buffer {
    const serialize = methods.pipeline.requestSerialize;
    const parts: Buffer[] = [];
    const nowMs = this.#options.clock.monotonicMs();
    const shared: Array<{ readonly terms: TermsOf; readonly timeoutMs: number }> = [];
    const writer = new WireWriter(operations.reduce((sum, operation) => sum + bytesMaxOf(operation), 0));
    for (const operation of operations) {
      const { terms, call } = operation;
      const begin = writer.at;
      try {
        const last = shared.at(-1);
        // In whole milliseconds, so that most messages of a client have the same terms, which are then encoded once.
        const timeoutMs = Math.max(1, Math.ceil(call.deadlineMs - nowMs));
        if (last === undefined || last.timeoutMs !== timeoutMs || !isLike(last.terms, terms)) {
          parts.push(this.#encodedTerms(terms, timeoutMs));
          shared.push({ terms, timeoutMs });
        }
        writeOperation(writer, operation, shared.length - 1);
        operation.isSent = true;
        this.#sent++;
      } catch (error) {
        // Others travel in the same message: it must not break, nor must what sends it.
        writer.at = begin;
        this.#end(operation.id)?.waiter.reject(notSendable(error));
      }
    }
    if (this.#cancelled.length > 0) parts.push(encodeCancel(this.#cancelled.splice(0), serialize));
    if (writer.at > 0) parts.push(writer.written());
    return Buffer.concat(parts);
  }

  #encodedTerms(terms: TermsOf, timeoutMs: number): Buffer {
    const last = this.#lastTerms;
    if (last !== undefined && last.timeoutMs === timeoutMs && isLike(last.terms, terms)) return last.bytes;
    const bytes = encodeTerms({ ...terms, timeoutMs }, methods.pipeline.requestSerialize);
    this.#lastTerms = { terms, timeoutMs, bytes };
    return bytes;
  }

  /** Undefined if the client's token cannot be had: only the waiting callers may be told, at the end of a turn. */
  #connected(): ClientDuplexStream<Buffer, Buffer> | undefined {
    try {
      return this.#connect();
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  #connect(): ClientDuplexStream<Buffer, Buffer> {
    const { connection, hops } = this.#options;
    const stream = connection.duplex(methods.pipeline.path, hops === undefined ? {} : { hops });
    this.#stream = stream;
    this.#isDraining = true;
    this.#isServed = false;
    stream.on('data', (message: Buffer) => this.#answered(message, stream));
    stream.on('drain', () => {
      this.#isDraining = true;
      this.#send();
    });
    stream.on('error', (error) => {
      if (this.#stream === stream) this.#break(connection.translated(error, never));
    });
    stream.on('end', () => {
      if (this.#stream === stream) this.#break(ended());
    });
    return stream;
  }

  #answered(message: Buffer, stream: ClientDuplexStream<Buffer, Buffer>): void {
    if (this.#stream !== stream) return; // What it answers has failed already.
    this.#isServed = true;
    try {
      takeAnswers(message, methods.pipeline.responseDeserialize, this);
    } catch (error) {
      this.#break(error);
      stream.cancel();
      return;
    }
    // Operations waited for others to be answered.
    if (this.#waiting.length > 0) this.#plan();
  }

  wanted(id: number): WantedGet | undefined {
    return this.#open.get(id);
  }

  got(id: number, answer: GetAnswer): void {
    this.#end(id)?.waiter.resolve?.(answer as GetAnswer & WriteAnswer);
  }

  gotValue(id: number, value: Buffer | undefined, session: Session): void {
    this.#end(id)?.waiter.value?.(value, session);
  }

  written(id: number, answer: WriteAnswer): void {
    this.#end(id)?.waiter.resolve?.(answer as GetAnswer & WriteAnswer);
  }

  failed(id: number, failure: WireFailure): void {
    this.#end(id)?.waiter.reject(fromFailure(failure));
  }

  /** Removes an operation: nobody waits for it any more. */
  #end(id: number): Operation | undefined {
    const operation = this.#open.get(id);
    if (operation === undefined) return undefined;
    this.#open.delete(operation);
    if (operation.isSent) this.#sent--;
    this.#signals.remove(operation);
    return operation;
  }

  /** The caller has gone: the node is told, so that it need not go on. */
  #giveUp(operation: Operation, error: MeridianError): void {
    if (this.#end(operation.id) === undefined) return;
    if (operation.isSent) {
      this.#cancelled.push(operation.id);
      this.#plan();
    } else this.#leaveLine();
    operation.waiter.reject(error);
  }

  /** What is given up before it is sent would stand in line, with its value, for as long as the node takes nothing. */
  #leaveLine(): void {
    this.#givenUp++;
    if (this.#givenUp * 2 < this.#waiting.length) return;
    this.#waiting.keep(({ id }) => this.#open.get(id) !== undefined);
    this.#givenUp = 0;
  }

  #endLate(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    const late = this.#open.those(({ call: { deadlineMs } }) => {
      if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
      return deadlineMs <= nowMs;
    });
    for (const operation of late) this.#giveUp(operation, tooLate());
    return nextMs;
  }

  /**
   * The stream is over. What was sent has an unknown outcome, and fails. What was not goes over the next stream, unless
   * none could be opened.
   */
  #break(error: unknown): void {
    this.#stream = undefined;
    this.#cancelled = [];
    this.#isDraining = true;
    const isLasting =
      this.#isClosed || !isMeridianError(error, 'UNAVAILABLE') || error.details.reason === 'not-connected';
    if (isLasting) {
      this.#waiting = new Line();
      this.#givenUp = 0;
    }
    for (const operation of this.#open.those(({ isSent }) => isSent || isLasting)) {
      this.#end(operation.id);
      operation.waiter.reject(operation.isSent ? this.#ofSent(operation, error) : error);
    }
    if (this.#waiting.length > 0) this.#plan();
  }

  /**
   * A stream that is refused says of no write that was sent over it that it was not done: the refusal may be of a message
   * that came behind the write, while a caller who is told to come again, or has another token, sends the write again.
   */
  #ofSent({ mutation }: Operation, error: unknown): unknown {
    if (mutation === undefined || !isMeridianError(error) || saysNothing.has(error.code)) return error;
    // Room is asked for by later messages too. All else is refused before the first one is looked at.
    const mayBeBegun = this.#isServed || error.details.reason === 'uploads-under-way';
    return mayBeBegun ? outcomeUnknown(error) : error;
  }
}

/** Whether an operation on this may go over the stream: names that are none could be larger than a message. */
export function takesNames(namespace: string, key: string): boolean {
  return namespace.length <= limits.titleBytesMax && key.length <= limits.keyBytesMax;
}

/** Whether a write may go over the stream: one mutation that is not large. */
export function takesWrite({ namespace, mutations }: WriteRequest): MeasuredMutation | undefined {
  const [mutation] = mutations;
  if (mutation === undefined || mutations.length > 1) return undefined;
  if (!takesNames(namespace, mutation.key)) return undefined;
  const measure = measured(mutation);
  return writeBytesMax(measure) <= putBytesMax ? measure : undefined;
}

function bytesMaxOf({ key, mutation, call: { requestId } }: Operation): number {
  const namedBytes = requestId === undefined ? 0 : requestId.length + 2;
  return namedBytes + (mutation === undefined ? getBytesMax(key) : writeBytesMax(mutation));
}

function writeOperation(writer: WireWriter, { id, key, mutation, call }: Operation, terms: number): void {
  const head = { id, terms, requestId: call.requestId };
  if (mutation === undefined) writeGet(writer, head, key);
  else writeWrite(writer, head, mutation);
}

/** Terms stand in a message once for operations that follow each other and have the same. */
function haveSameTerms(before: Operation | undefined, { terms, call }: Operation): boolean {
  return before !== undefined && before.call.deadlineMs === call.deadlineMs && isLike(before.terms, terms);
}

function isLike(a: TermsOf, b: TermsOf): boolean {
  if (a === b) return true;
  return (
    a.read.session === b.read.session &&
    a.read.namespace === b.read.namespace &&
    a.read.maxStalenessMs === b.read.maxStalenessMs &&
    a.read.atOrigin === b.read.atOrigin &&
    a.write.durability === b.write.durability &&
    a.write.durabilityTimeoutMs === b.write.durabilityTimeoutMs &&
    a.write.tracked === b.write.tracked
  );
}

const never = new AbortController().signal;

function cancelled(signal: AbortSignal): MeridianError {
  return new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled', cause: signal.reason });
}

function tooLate(): MeridianError {
  return new MeridianError('DEADLINE_EXCEEDED', 'no answer came before the deadline passed', { reason: 'deadline' });
}

/** What a caller handed over is none of what its type says, or not any more. */
function notSendable(cause: unknown): MeridianError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError('INVALID_ARGUMENT', `this cannot be sent: ${message}`, { reason: 'not-sendable', cause });
}

/** Codes of failures that mean nothing as to whether a write was done. */
const saysNothing: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL']);

function outcomeUnknown(cause: MeridianError): MeridianError {
  const message = `the stream ended before the write was answered: ${cause.message}; it may have been done`;
  return new MeridianError('UNAVAILABLE', message, { reason: 'outcome-unknown', cause });
}

function ended(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the node ended the stream', { reason: 'unavailable' });
}
