import { MeridianError } from '../model/errors.ts';
import type { GetAnswer } from '../model/key-value.ts';
import { checkText } from '../model/text.ts';
import { sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { type Answer, toAnswer } from './answer.ts';
import { type ClientContext, inCall, toReadOptions } from './call-frame.ts';
import type { CallOptions, ReadOptions } from './call-options.ts';
import { ClusterHandle, type ClusterHandleOptions } from './cluster-handle.ts';
import type { LocalNode } from './local-node.ts';
import type { Namespace } from './namespace.ts';
import { NamespaceHandle } from './namespace-handle.ts';
import { decodeValue, type ValueType } from './value-type.ts';

/** A namespace at an edge inside this process. */
export interface EdgeNamespace extends Namespace {
  /**
   * The value where the edge has it in memory and may serve it: `null` for an absent key, and `undefined` where it would
   * have to wait, for its disk or its upstream, or to refuse; then ask `get`. Throws what decoding throws.
   */
  getSync(key: string, type?: 'text', options?: ReadOptions): string | null | undefined;
  getSync<Value = unknown>(key: string, type: 'json', options?: ReadOptions): Value | null | undefined;
  getSync(key: string, type: 'arrayBuffer', options?: ReadOptions): ArrayBuffer | null | undefined;
  /** The same with metadata, expiry, version, source and proven age. */
  getWithMetadataSync<Metadata = unknown>(
    key: string,
    type?: 'text',
    options?: ReadOptions,
  ): Answer<string, Metadata> | undefined;
  getWithMetadataSync<Value = unknown, Metadata = unknown>(
    key: string,
    type: 'json',
    options?: ReadOptions,
  ): Answer<Value, Metadata> | undefined;
  getWithMetadataSync<Metadata = unknown>(
    key: string,
    type: 'arrayBuffer',
    options?: ReadOptions,
  ): Answer<ArrayBuffer, Metadata> | undefined;
}

export interface EdgeHandleOptions extends Omit<ClusterHandleOptions, 'nodes'> {
  readonly node: LocalNode;
  /** True once it has received all that it follows, in this run or an earlier one. */
  readonly hasCaughtUp: () => boolean;
  /** Stops the edge. */
  readonly stop: () => Promise<void>;
}

/** Milliseconds between looks at whether the edge is ready. */
const lookMs = 20;

/** An edge inside this process: a handle on the cluster whose reads need no network where the edge holds what is asked for. */
export class EdgeHandle extends ClusterHandle {
  readonly #node: LocalNode;
  readonly #hasCaughtUp: () => boolean;
  readonly #stop: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor({ node, hasCaughtUp, stop, ...options }: EdgeHandleOptions) {
    super({ ...options, nodes: [node] });
    this.#node = node;
    this.#hasCaughtUp = hasCaughtUp;
    this.#stop = stop;
  }

  override namespace(name: string): EdgeNamespace {
    checkText(name, "a namespace's name");
    return new EdgeNamespaceHandle(this.context, this.random, name, this.#node);
  }

  /**
   * Waits until the edge has caught up with an upstream, in this run or, with a folder that it keeps, in an earlier one.
   * Before that it passes on what it is asked. @throws DEADLINE_EXCEEDED where that takes longer than the call may
   */
  async ready(options: CallOptions = {}): Promise<void> {
    const { clock } = this.context;
    await inCall(this.context, options, async (call) => {
      while (!this.#hasCaughtUp()) {
        if (clock.monotonicMs() >= call.deadlineMs) throw notReady();
        await sleep(clock, lookMs, call.signal);
      }
    });
  }

  /** Ends watches, cancels calls under way, and stops the edge: its folder may be opened again once this resolves. */
  override close(): Promise<void> {
    super.close();
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }
}

class EdgeNamespaceHandle extends NamespaceHandle implements EdgeNamespace {
  /** The overloads stand in the interface; here is the one body behind them. */
  readonly getSync = ((key: string, type: ValueType = 'text', options?: ReadOptions) => {
    const answer = this.#peek(key, options);
    if (answer === undefined) return undefined;
    const { record } = answer;
    return record?.kind === 'live' ? decodeValue(type, record.value) : null;
  }) as EdgeNamespace['getSync'];
  readonly getWithMetadataSync = ((key: string, type: ValueType = 'text', options?: ReadOptions) => {
    const answer = this.#peek(key, options);
    return answer === undefined ? undefined : toAnswer(answer, (value) => decodeValue(type, value));
  }) as EdgeNamespace['getWithMetadataSync'];
  readonly #context: ClientContext;
  readonly #node: LocalNode;

  constructor(context: ClientContext, random: Random, name: string, node: LocalNode) {
    super(context, random, name);
    this.#context = context;
    this.#node = node;
  }

  #peek(key: string, options: ReadOptions | undefined): GetAnswer | undefined {
    const { session, closing } = this.#context;
    if (closing.aborted) return undefined;
    const asked = session.current;
    const request =
      options === undefined
        ? { namespace: this.name, key, session: asked }
        : { key, ...toReadOptions(this.#context, this.name, options) };
    const answer = this.#node.peek(request);
    if (answer !== undefined) session.answered(asked, answer.session);
    return answer;
  }
}

function notReady(): MeridianError {
  return new MeridianError('DEADLINE_EXCEEDED', 'the edge has not caught up with an upstream yet', {
    reason: 'deadline-exceeded',
  });
}
