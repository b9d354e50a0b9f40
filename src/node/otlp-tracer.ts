import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { toMeridianError } from '../model/errors.ts';
import {
  type BroughtTrace,
  isSampled,
  isTraceparent,
  isTracestate,
  type StepOptions,
  type Trace,
  type TraceContext,
  type TraceFields,
  type Tracer,
} from '../model/trace.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';

export interface OtlpTracerOptions {
  /** Base address of the collector; unset = as the variables of OpenTelemetry say. */
  readonly endpoint: string | undefined;
  /** From 0 to 1: of the requests that bring no trace. */
  readonly sampling: number;
  readonly node: { readonly name: string; readonly role: string; readonly region: string; readonly version: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const bounds = {
  /** Steps that wait to be delivered; further ones are dropped. */
  maxQueueSize: 4096,
  maxExportBatchSize: 512,
  scheduledDelayMillis: 1000,
  exportTimeoutMillis: 3000,
} as const;

/** Milliseconds for a collector to take a batch, tries included: a process that ends waits for them. */
const deliveryMs = 2000;

/** Milliseconds that a stop waits for the last steps to be delivered. */
const closeMs = 2000;

const tracer = 'meridian';

/** Sends traces to a collector, by OTLP over HTTP. */
export function otlpTracer(options: OtlpTracerOptions): Tracer {
  const { endpoint, sampling, random, clock } = options;
  const to = endpoint === undefined ? {} : { url: tracesUrl(endpoint) };
  const exporter = new OTLPTraceExporter({ timeoutMillis: deliveryMs, ...to });
  const provider = new BasicTracerProvider({
    resource: resourceOf(options),
    // What is not sampled never becomes a span: see `enter`.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new BatchSpanProcessor(telling(exporter, options.logger), bounds)],
  });
  const spans = provider.getTracer(tracer);
  const begin: Begin = (name, { parent, kind, links = [], attributes = {} }) =>
    spans.startSpan(name, { kind, attributes, links: links.map(linkTo) }, parent);
  return {
    enter: (name, brought, fields) => {
      const parent = contextOf(brought);
      const isTraced =
        parent === undefined ? !brought.isPassedOn && random.fraction() < sampling : isSampled(parent.traceparent);
      if (!isTraced) return undefined;
      const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent.spanContext);
      const span = begin(name, { parent: context, kind: SpanKind.SERVER, attributes: fields });
      return new OtlpTrace(span, begin, parent?.tracestate);
    },
    close: async () => {
      const late = new AbortController();
      await Promise.race([provider.shutdown().catch(() => {}), sleep(clock, closeMs, late.signal).catch(() => {})]);
      late.abort();
    },
  };
}

/** As OpenTelemetry builds it from a collector's base address. */
function tracesUrl(endpoint: string): string {
  return new URL('v1/traces', endpoint.endsWith('/') ? endpoint : `${endpoint}/`).href;
}

type Begin = (
  name: string,
  options: {
    readonly parent: Context;
    readonly kind: SpanKind;
    readonly links?: readonly Trace[] | undefined;
    readonly attributes?: TraceFields | undefined;
  },
) => Span;

class OtlpTrace implements Trace {
  readonly context: TraceContext;
  readonly span: Span;
  readonly #begin: Begin;
  readonly #tracestate: string | undefined;

  constructor(span: Span, begin: Begin, tracestate: string | undefined) {
    const { traceId, spanId } = span.spanContext();
    this.span = span;
    this.#begin = begin;
    this.#tracestate = tracestate;
    this.context = {
      traceparent: `00-${traceId}-${spanId}-01`,
      ...(tracestate === undefined ? {} : { tracestate }),
    };
  }

  step(name: string, { kind, fields, links }: StepOptions = {}): Trace {
    const span = this.#begin(name, {
      parent: trace.setSpan(ROOT_CONTEXT, this.span),
      kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL,
      attributes: fields,
      links,
    });
    return new OtlpTrace(span, this.#begin, this.#tracestate);
  }

  tell(fields: TraceFields): void {
    this.span.setAttributes(fields);
  }

  /** The message of a failure may name a key: its code and reason tell enough. */
  end(failure?: unknown): void {
    if (failure !== undefined) {
      const { code, details } = toMeridianError(failure);
      this.span.setAttributes({ 'error.type': code, 'meridian.reason': details.reason });
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    }
    this.span.end();
  }
}

function linkTo(other: Trace): Link {
  if (!(other instanceof OtlpTrace)) throw new Error('a step links to steps of its own tracer');
  return { context: other.span.spanContext() };
}

function contextOf({ traceparent, tracestate }: BroughtTrace) {
  if (!isTraceparent(traceparent)) return undefined;
  const [, traceId = '', spanId = ''] = traceparent.split('-');
  return {
    traceparent,
    spanContext: { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true },
    tracestate: isTracestate(tracestate) ? tracestate : undefined,
  };
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
function resourceOf({ node: { name, role, region, version } }: OtlpTracerOptions) {
  return defaultResource()
    .merge(
      resourceFromAttributes({
        'service.name': 'meridian',
        'service.version': version,
        'service.instance.id': name,
        'meridian.node': name,
        'meridian.role': role,
        'meridian.region': region,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
}

/** An exporter that says in the log where it cannot deliver: the package says so nowhere. */
function telling(exporter: SpanExporter, logger: Logger): SpanExporter {
  return {
    export: (spans: ReadableSpan[], done) => {
      exporter.export(spans, (result) => {
        if (result.code !== 0) {
          const { error } = result;
          logger.log('warn', 'traces cannot be delivered', { steps: spans.length, error: String(error) });
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
