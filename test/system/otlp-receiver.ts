import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** The parts of opentelemetry/proto/collector/trace/v1 that tell of steps. */
const schema = `
syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  repeated Link links = 13;
  Status status = 15;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Status { string message = 2; int32 code = 3; }
`;

const request = protobuf.parse(schema, { keepCase: false }).root.lookupType('Request');

interface WireAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly WireAttribute[];
  readonly links: ReadonlyArray<{ readonly traceId: Buffer; readonly spanId: Buffer }>;
  readonly status: { readonly code: number } | null;
}

interface WireRequest {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: ReadonlyArray<{ readonly spans: readonly WireSpan[] }>;
  }>;
}

/** A step as it came in, with the process that told of it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty = it has none. */
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** `traceId/spanId` of each. */
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly node: Readonly<Record<string, unknown>>;
}

/** A collector that takes traces by OTLP over HTTP, and keeps what comes. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Of all that came, decoded or not. */
  readonly bodies: Buffer[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', async (incoming: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const isTraces = incoming.url === '/v1/traces' && incoming.headers['content-type'] === 'application/x-protobuf';
      if (isTraces) receiver.#take(Buffer.concat(chunks), incoming.headers['content-encoding'] === 'gzip');
      response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of one trace. */
  of(traceId: string): readonly ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(body: Buffer, isZipped: boolean): void {
    const bytes = isZipped ? gunzipSync(body) : body;
    this.bodies.push(bytes);
    const decoded = request.toObject(request.decode(bytes), { longs: Number, defaults: true }) as WireRequest;
    for (const { resource, scopeSpans } of decoded.resourceSpans) {
      const node = valuesOf(resource.attributes);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) this.spans.push({ ...asReceived(span), node });
    }
  }
}

function asReceived(span: WireSpan): Omit<ReceivedSpan, 'node'> {
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentId: span.parentSpanId.toString('hex'),
    name: span.name,
    kind: span.kind,
    attributes: valuesOf(span.attributes),
    links: span.links.map(({ traceId, spanId }) => `${traceId.toString('hex')}/${spanId.toString('hex')}`),
    failed: span.status?.code === 2,
  };
}

function valuesOf(attributes: readonly WireAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
