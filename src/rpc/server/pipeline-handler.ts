import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { hasTokenEnded, MeridianError, toMeridianError } from '../../model/errors.ts';
import { type GetRequest, valueBytesOf, type WriteRequest } from '../../model/key-value.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import { nextTurn } from '../../runtime/next-turn.ts';
import { OperationTurns } from '../../runtime/operation-turns.ts';
import type { UploadRoom } from '../../runtime/upload-room.ts';
import {
  type Deserialize,
  decodePipelineRequest,
  type Operation,
  operationsMax,
  type PipelineRequest,
  type ReadTerms,
  type Serialize,
  TermsReader,
} from '../codec/pipeline-requests.ts';
import { encodeFailure, encodeWritten } from '../codec/pipeline-responses.ts';
import type { RecordBodies } from '../codec/record-body.ts';
import { malformed } from '../codec/record-codec.ts';
import { toStatus } from '../status.ts';
import { AnswerSender } from './answer-sender.ts';
import { callOf, type Timing } from './call-of.ts';
import type { CallRecord, OperationKind } from './call-record.ts';
import { drained } from './drained.ts';
import { tooManyAnswers } from './held-answers.ts';
import { notIdle } from './idle.ts';
import { checkFits, checkNamespace, isSmallHit } from './kv-checks.ts';
import { RunningOperation, RunningOperations, tooLate } from './pipeline-operations.ts';
import { exhausted } from './refuse-stream.ts';
import { readable } from './strict-requests.ts';
import { endlessStream } from './unary.ts';

/** Operations of a message that begin in one turn of the event loop. */
const sliceOperations = 32;

export interface PipelineOptions extends Timing {
  readonly room: AnswerRoom;
  readonly uploads: UploadRoom;
  readonly bodies: RecordBodies;
  /** Encode a response from its parts, and decode a request into its parts. */
  readonly serialize: Serialize;
  readonly deserialize: Deserialize;
  /** Begins a turn of a stream's operations, in its place among the turns of all others. */
  readonly startTurn: (served: Pick<Served, 'getPeer'>, run: () => void, isOver: () => boolean) => void;
}

type Served = ServerDuplexStream<Buffer, Buffer>;

export function pipelineHandlers(options: PipelineOptions): UntypedServiceImplementation {
  return {
    Pipeline: (served: Served) =>
      endlessStream(options, served, async (signal, record) => {
        return new PipelineStream(options, { served, signal, record }).serve();
      }),
  };
}

interface Stream {
  readonly served: Served;
  readonly signal: AbortSignal;
  readonly record: CallRecord;
}

/** A message whose operations have begun, or are about to. */
interface Taken extends Pick<PipelineRequest, 'terms' | 'operations'> {
  /** Set if it is large. */
  readonly held: HeldRequest | undefined;
}

/** What to do with the result of an operation that had to wait: `drop` it if it was answered meanwhile. */
interface Outcome {
  readonly send: () => void;
  readonly drop: () => void;
}

/** The room of a large message, given back once nothing uses the message any more. */
class HeldRequest {
  #uses = 1;
  readonly #release: () => void;

  constructor(release: () => void) {
    this.#release = release;
  }

  begin(): void {
    this.#uses++;
  }

  end(): void {
    this.#uses--;
    if (this.#uses === 0) this.#release();
  }
}

/**
 * One stream of operations. A hit is answered in the turn in which its message came: `Upstream.peek`, a place among the
 * ready answers, and one write for all of them. Only an operation that must wait becomes a promise.
 */
class PipelineStream {
  readonly #options: PipelineOptions;
  /** The node as the caller may use it: each operation checks the caller's rights anew. */
  readonly #upstream: Upstream;
  readonly #served: Served;
  readonly #signal: AbortSignal;
  readonly #call: Call;
  readonly #caller: string;
  readonly #record: CallRecord;
  readonly #sender: AnswerSender;
  readonly #running: RunningOperations;
  readonly #terms: TermsReader;
  readonly #turns: OperationTurns;
  #ended: (() => void) | undefined;
  #onDraining: (() => void) | undefined;
  /** The token with which the stream was opened is not valid any more. */
  #hasTokenEnded = false;
  /** Makes the stream take no more messages. */
  #leave: (() => void) | undefined;

  constructor(options: PipelineOptions, { served, signal, record }: Stream) {
    const upstream = options.enter(served);
    this.#options = options;
    this.#upstream = upstream;
    this.#served = served;
    this.#signal = signal;
    this.#call = callOf(served, options);
    this.#record = record;
    this.#caller = served.getPeer();
    this.#terms = new TermsReader(options.deserialize);
    const write = (message: Buffer, taken: () => void) => served.write(message, taken);
    this.#sender = new AnswerSender({ ...options, caller: this.#caller, write });
    this.#turns = new OperationTurns((run, isOver) => options.startTurn(served, run, isOver), {
      isOver: () => signal.aborted,
      given: () => this.#sender.wake(),
    });
    this.#running = new RunningOperations(options.clock, (id) => {
      this.#fail(id, tooLate());
      this.#sender.plan();
    });
  }

  /**
   * Ends once the caller has ended its side, or the node drains, or the caller's token has ended, and everything that
   * has begun is answered.
   * @throws UNAVAILABLE (`drained`); the signal's reason, and what ends a stream
   */
  async serve(): Promise<void> {
    try {
      await this.#messages();
      await this.#settled(() => this.#running.size === 0 && this.#sender.isEmpty);
      if (this.#hasTokenEnded) throw withoutToken();
      if (this.#drains) throw drained();
    } finally {
      this.#stop();
    }
  }

  /** The node drains, or the token has ended: an operation that has not begun by now never does. */
  get #drains(): boolean {
    return this.#options.draining.aborted || this.#hasTokenEnded;
  }

  /** Takes message after message. By events, as a loop would cost each message some promises. */
  #messages(): Promise<void> {
    const served = this.#served;
    return new Promise((resolve, reject) => {
      this.#leave = resolve;
      if (this.#drains) return resolve();
      this.#onDraining = () => {
        // The stop waits until the answers have left.
        this.#ended ??= this.#options.calls.begin();
        resolve();
      };
      this.#options.draining.addEventListener('abort', this.#onDraining, { once: true });
      const take = (message: Buffer): void => {
        if (this.#drains) return;
        try {
          const waiting = this.#take(readable(message));
          if (waiting === undefined) return;
          served.pause();
          waiting.then(() => served.resume(), reject);
        } catch (error) {
          reject(error);
        }
      };
      served.on('data', take);
      served.once('end', resolve);
      this.#signal.addEventListener('abort', () => reject(this.#signal.reason), { once: true });
    });
  }

  /** Begins the operations of a message. Undefined once all have begun; else the wait before the next message. */
  #take(message: Buffer): Promise<void> | undefined {
    if (message.length > this.#options.uploads.smallBytesMax) return this.#takeLarge(message);
    const taken = this.#decode(message, undefined);
    const begun = this.#beginFrom(0, taken);
    return begun === taken.operations.length ? undefined : this.#beginRest(begun, taken);
  }

  /** Its bytes are in memory until its last write is answered: so they take room, as those of a call do. */
  async #takeLarge(message: Buffer): Promise<void> {
    const { values } = this.#options.uploads;
    const bytes = message.length;
    if (!(await values.take(bytes, this.#caller, this.#signal))) {
      throw exhausted('too many large requests under way', 'uploads-under-way', bytes);
    }
    const held = new HeldRequest(() => values.give(bytes, this.#caller));
    try {
      await this.#beginRest(0, this.#decode(message, held));
    } finally {
      held.end();
    }
  }

  #decode(message: Buffer, held: HeldRequest | undefined): Taken {
    const { cancelled, terms, operations } = decodePipelineRequest(message, this.#options.deserialize, this.#terms);
    for (const id of cancelled) this.#running.cancel(id);
    return { terms, operations, held };
  }

  async #beginRest(from: number, request: Taken): Promise<void> {
    for (let begun = from; begun < request.operations.length; begun = this.#beginFrom(begun, request)) {
      await nextTurn(); // Answers leave at the end of a turn of the event loop.
      if (this.#drains) return;
      await this.#settled(() => this.#mayBegin);
    }
  }

  /**
   * Returns how many have begun: all of a slice, or those before too much waited to be answered, or to be read. The
   * answers of a slice are on their way while those of the next one are made.
   */
  #beginFrom(from: number, { terms, operations, held }: Taken): number {
    const end = Math.min(operations.length, from + sliceOperations);
    let begun = from;
    for (; begun < end; begun++) {
      const operation = operations[begun];
      if (!this.#mayBegin) {
        this.#sender.flush();
        if (!this.#mayBegin) break;
      }
      if (operation === undefined || this.#drains) break;
      this.#turns.take();
      this.#begin(operation, terms[operation.terms], held);
    }
    this.#sender.flush();
    return begun;
  }

  get #mayBegin(): boolean {
    // As many as a message may have: then no further message is read.
    const hasRoom = this.#running.size + this.#sender.size < operationsMax && !this.#sender.isFull;
    return hasRoom && this.#turns.mayTake;
  }

  #begin(
    { id, key, mutation, requestId, refused }: Operation,
    terms: ReadTerms | Error | undefined,
    held: HeldRequest | undefined,
  ): void {
    if (this.#running.has(id)) throw malformed('the id of an operation, which another one has that is under way', id);
    if (terms === undefined) throw malformed('the terms of an operation', 'none of its message');
    if (terms instanceof Error || refused !== undefined) {
      this.#fail(id, terms instanceof Error ? terms : refused);
      return;
    }
    if (mutation !== undefined) {
      const { namespace, session } = terms;
      const write = { namespace, session, mutations: [mutation], ...terms.write };
      held?.begin();
      this.#run(['write', id, requestId], terms, (call) => this.#write(id, write, call).finally(() => held?.end()));
      return;
    }
    const request = { ...terms.get, key };
    const { room } = this.#options;
    const hit = this.#upstream.peek(request);
    if (hit !== undefined && isSmallHit(hit, room)) this.#sender.get({ id, answer: hit, terms });
    else this.#run(['get', id, requestId], terms, (call) => this.#get(id, terms, request, call));
  }

  async #get(id: number, terms: ReadTerms, request: GetRequest, call: Call): Promise<Outcome> {
    const { room } = this.#options;
    checkNamespace(request.namespace);
    const asked = { namespace: request.namespace, key: request.key, caller: this.#caller, call };
    const held = await room.hold(asked, () => this.#upstream.get(request, call), valueBytesOf);
    if (held === undefined) throw tooManyAnswers();
    try {
      checkFits(held.answer);
    } catch (error) {
      held.release();
      throw error;
    }
    return { send: () => this.#sender.get({ id, terms, answer: held.answer }, held.release), drop: held.release };
  }

  async #write(id: number, request: WriteRequest, call: Call): Promise<Outcome> {
    checkNamespace(request.namespace);
    const answer = await this.#upstream.write(request, call);
    return { send: () => this.#sender.part(encodeWritten(id, answer)), drop: () => {} };
  }

  /** Runs an operation that must wait, and answers it once, whatever comes first. */
  #run(
    [what, id, requestId]: readonly [OperationKind, number, string | undefined],
    { timeoutMs }: ReadTerms,
    run: (call: Call) => Promise<Outcome>,
  ): void {
    const { clock, requestTimeoutMs, calls } = this.#options;
    const deadlineMs = clock.monotonicMs() + Math.min(timeoutMs ?? requestTimeoutMs, requestTimeoutMs);
    const operation = new RunningOperation(this.#call, deadlineMs, this.#record.operation(id, what, requestId));
    const { trace } = operation.call;
    this.#running.begin(id, operation);
    this.#ended ??= calls.begin();
    run(operation.call).then(
      ({ send, drop }) => {
        if (this.#running.end(id, operation)) send();
        else drop();
        trace?.end();
        this.#answered();
      },
      (error: unknown) => {
        if (this.#running.end(id, operation)) this.#fail(id, error);
        trace?.end(error);
        this.#answered();
      },
    );
  }

  #answered(): void {
    if (this.#running.size === 0 && !this.#drains) {
      this.#ended?.();
      this.#ended = undefined;
    }
    this.#sender.plan();
  }

  #fail(id: number, thrown: unknown): void {
    const { code = 0 } = toStatus(thrown);
    const error = toMeridianError(thrown);
    if (hasTokenEnded(error)) {
      this.#hasTokenEnded = true;
      this.#leave?.();
    }
    this.#sender.part(encodeFailure(id, code, error, this.#options.serialize));
  }

  /** Waits for an answer or a read. @throws DEADLINE_EXCEEDED if none comes for too long; the signal's reason */
  async #settled(isSettled: () => boolean): Promise<void> {
    const { clock, requestTimeoutMs } = this.#options;
    while (!isSettled()) {
      await notIdle(this.#sender.once(this.#signal), 'no answer was read or came', { clock, idleMs: requestTimeoutMs });
      this.#signal.throwIfAborted();
    }
  }

  #stop(): void {
    this.#running.stop(new MeridianError('CANCELLED', 'the stream is over', { reason: 'cancelled' }));
    this.#sender.stop();
    if (this.#onDraining !== undefined) this.#options.draining.removeEventListener('abort', this.#onDraining);
    this.#ended?.();
    this.#ended = undefined;
  }
}

/** A caller that has another token by now opens another stream, and asks there for what never began here. */
function withoutToken(): MeridianError {
  const message = 'the token of this stream has ended: what was not begun may be asked for over another one';
  return new MeridianError('UNAVAILABLE', message, { reason: 'drained' });
}
