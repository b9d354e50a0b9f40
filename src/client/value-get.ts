import type { Call } from '../model/call.ts';
import { isMeridianError } from '../model/errors.ts';
import type { GetAnswer, ReadOptions, ValueWaiter } from '../model/key-value.ts';
import type { Session } from '../model/session.ts';
import { type ClientContext, inCall, isTimeout } from './call-frame.ts';
import type { RemoteNode } from './remote-node.ts';
import { decodeValue, type ValueType } from './value-type.ts';

/*
 * The get that nearly all callers make: one key, its value alone, without options. A promise and a closure for each layer that
 * a get passes (the frame of the call, the endpoints, the node, the stream) cost several times what the get does, so here all
 * of them are one object, which the stream tells of the value:
 *
 *     get(k)         → ValueGet, which waits at the stream of the endpoint in use
 *       a value      → its promise, and nothing else was made
 *       a failure    → the plain path, which goes on from that failure as if it had asked so itself
 */

/** Gets values of one namespace. */
export class ValueGets {
  readonly #context: ClientContext;
  readonly #namespace: string;
  /** The same object while the session is the same: requests are then sent with what was encoded before. */
  #read: ReadOptions | undefined;

  constructor(context: ClientContext, namespace: string) {
    this.#context = context;
    this.#namespace = namespace;
  }

  /** Undefined where it must be asked for on the plain path. `key` is one. */
  get(key: string, type: ValueType): Promise<unknown> | undefined {
    const context = this.#context;
    const { endpoints, closing, timeoutMs, clock } = context;
    const node = endpoints.current;
    const isCommon = context.traceContext === undefined && isTimeout(timeoutMs) && !closing.aborted;
    if (node.beginGet === undefined || !isCommon) return undefined;
    const read = this.#readOf(context.session.current);
    const call: Call = { deadlineMs: clock.monotonicMs() + timeoutMs, signal: closing };
    let isBegun = false;
    const promise = new Promise<unknown>((resolve, reject) => {
      const get = new ValueGet({ context, node, call, read, key, type, resolve, reject });
      isBegun = node.beginGet?.(key, read, call, get) === true;
    });
    return isBegun ? promise : undefined;
  }

  #readOf(session: Session): ReadOptions {
    if (this.#read?.session !== session) this.#read = { namespace: this.#namespace, session };
    return this.#read;
  }
}

interface Asked {
  readonly context: ClientContext;
  readonly node: RemoteNode;
  readonly call: Call;
  readonly read: ReadOptions;
  readonly key: string;
  readonly type: ValueType;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

class ValueGet implements ValueWaiter {
  readonly #asked: Asked;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  value(value: Uint8Array | undefined, session: Session): void {
    const { context, read, type, resolve, reject } = this.#asked;
    context.session.answered(read.session, session);
    try {
      resolve(value === undefined ? null : decodeValue(type, value));
    } catch (error) {
      reject(error);
    }
  }

  reject(failure: unknown): void {
    const { context, node, reject } = this.#asked;
    if (isMeridianError(failure, 'DEADLINE_EXCEEDED')) {
      context.endpoints.wasLate(node);
      reject(failure);
      return;
    }
    this.#goOn(failure).then(
      ({ record, session }) => this.value(record?.kind === 'live' ? record.value : undefined, session),
      reject,
    );
  }

  /** As the plain path does behind a first attempt that failed so, within the same deadline. */
  #goOn(failure: unknown): Promise<GetAnswer> {
    const { context, node, call, read, key } = this.#asked;
    const { endpoints, clock } = context;
    const request = { key, ...read };
    // Others may have moved on from that node already: then the one in use now is asked, as if for the first time.
    let hasFailed = endpoints.current === node || !isMeridianError(failure, 'UNAVAILABLE');
    const timeoutMs = Math.max(1, call.deadlineMs - clock.monotonicMs());
    return inCall(context, { timeoutMs }, (again) =>
      endpoints.read((current) => {
        if (!hasFailed) return current.get(request, again);
        hasFailed = false;
        return node.goOn?.(failure, request, again) ?? Promise.reject(failure);
      }),
    );
  }
}
