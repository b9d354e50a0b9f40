/*
 * Traces follow single calls through the nodes that they reach. A traced call carries its present step; each part that
 * has something to tell begins a step below it. An untraced call carries nothing, and costs nothing.
 *
 *     KV/Get (server, edge) ─ load ─ upstream (client) ─ KV/Get (server, origin) ─ …
 *
 * What a step is called, and what it tells, is in docs/observability.md. It never tells a key, a value or a token.
 */

/** How one process names a step to another: the headers of W3C Trace Context. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** The trace headers of a request, unchecked; whoever takes the trace over checks them. */
export interface BroughtTrace {
  readonly traceparent: unknown;
  readonly tracestate: unknown;
  /** Another node passed the request on: if it brings no trace, that node decided against one. */
  readonly isPassedOn: boolean;
}

export type TraceFields = Readonly<Record<string, string | number | boolean>>;

export interface StepOptions {
  /** `client`: it waits for another process. Default: all happens here. */
  readonly kind?: 'client';
  readonly fields?: TraceFields;
  /** Steps of other calls that it serves or waits for too. */
  readonly links?: readonly Trace[];
}

/** One step of a traced call, from when it is made to `end`. */
export interface Trace {
  readonly context: TraceContext;
  step(name: string, options?: StepOptions): Trace;
  tell(fields: TraceFields): void;
  /** Call once; with the error, if it failed. */
  end(failure?: unknown): void;
}

/** Decides which requests are traced. */
export interface Tracer {
  /** A request that begins here. Undefined if it is not traced. */
  enter(name: string, brought: BroughtTrace, fields: TraceFields): Trace | undefined;
  /** Delivers what is still held, for as long as that is worth waiting for. */
  close(): Promise<void>;
}

export const traceparentHeader = 'traceparent';
export const tracestateHeader = 'tracestate';

/** Bytes of `tracestate` that are passed on; the specification asks for 512 at least. */
const tracestateBytesMax = 512;

/** Of any version; those after 00 may have more fields (W3C Trace Context, 4.3). */
export function isTraceparent(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    /^(?!ff)(?!00.{53}-)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/.test(text)
  );
}

export function isTracestate(text: unknown): text is string {
  return typeof text === 'string' && text.length <= tracestateBytesMax && /^[\x20-\x7e]+$/.test(text);
}

/** Whether the beginner of the trace records it: only then is there something to add. */
export function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.split('-')[3] ?? '', 16) & 1) === 1;
}

/** A trace that began elsewhere and is only passed on: this node records nothing of it. */
export function passedTrace(context: TraceContext): Trace {
  const trace: Trace = { context, step: () => trace, tell: () => {}, end: () => {} };
  return trace;
}

/** Runs as a step of the call, if the call is traced. */
export function inStep<C extends { readonly trace?: Trace | undefined }, T>(
  call: C,
  [name, options]: readonly [name: string, options?: StepOptions],
  run: (call: C, step?: Trace) => Promise<T>,
): Promise<T> {
  if (call.trace === undefined) return run(call);
  const trace = call.trace.step(name, options);
  return endedWith(trace, run({ ...call, trace }, trace));
}

/** The result of `run`, whose end also ends the step. */
export function endedWith<T>(step: Trace, run: Promise<T>): Promise<T> {
  return run.then(
    (result) => {
      step.end();
      return result;
    },
    (error: unknown) => {
      step.end(error);
      throw error;
    },
  );
}
