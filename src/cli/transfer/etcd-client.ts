import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/light.js';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/** One of etcd's keys. */
export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  /** `0` = none. A 64-bit number as text. */
  readonly lease: string;
}

export interface EtcdPage {
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  /** That the page was read at. */
  readonly revision: string;
  /** Of its keys and values. */
  readonly bytes: number;
}

export interface EtcdRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly limit: number;
  /** `0` = the latest. */
  readonly revision: string;
}

/** Why a call failed whose answer is too large. */
export const etcdTooMuch = 'etcd-too-much';

/** Milliseconds that one call may take. */
const deadlineMs = 30_000;

/** The fields of rpc.proto and kv.proto that are used here, by etcd's numbers. */
const { root } = protobuf.Root.fromJSON({
  nested: {
    Header: { fields: { revision: { type: 'int64', id: 3 } } },
    KeyValue: {
      fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 5 }, lease: { type: 'int64', id: 6 } },
    },
    RangeRequest: {
      fields: {
        key: { type: 'bytes', id: 1 },
        rangeEnd: { type: 'bytes', id: 2 },
        limit: { type: 'int64', id: 3 },
        revision: { type: 'int64', id: 4 },
      },
    },
    RangeResponse: {
      fields: {
        header: { type: 'Header', id: 1 },
        kvs: { rule: 'repeated', type: 'KeyValue', id: 2 },
        more: { type: 'bool', id: 3 },
      },
    },
    LeaseTimeToLiveRequest: { fields: { id: { type: 'int64', id: 1 } } },
    LeaseTimeToLiveResponse: { fields: { ttl: { type: 'int64', id: 3 } } },
    AuthenticateRequest: { fields: { name: { type: 'string', id: 1 }, password: { type: 'string', id: 2 } } },
    AuthenticateResponse: { fields: { token: { type: 'string', id: 2 } } },
  },
});

/** What its calls are bound by. */
export interface EtcdCalls {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Of one answer. Default: 64 MiB. */
  readonly pageBytesMax?: number;
}

export type Certificates = Partial<Record<'ca' | 'cert' | 'key', Buffer>>;

/** The few calls of etcd's gRPC that an import makes. */
export class EtcdClient {
  readonly #client: Client;
  readonly #place: string;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #metadata = new Metadata();

  private constructor(url: URL, certificates: Certificates | undefined, calls: EtcdCalls) {
    const { clock, signal, pageBytesMax = 64 * 1024 * 1024 } = calls;
    this.#clock = clock;
    this.#place = `${url.hostname}:${url.port || '2379'}`;
    this.#signal = signal;
    const { ca, cert, key } = certificates ?? {};
    const channel =
      certificates === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
    // A page is held whole, and as large as its values: one that is larger is asked for again with fewer keys.
    this.#client = new Client(this.#place, channel, {
      'grpc.max_receive_message_length': pageBytesMax,
      'grpc.enable_http_proxy': 0,
    });
  }

  /** @throws UNAVAILABLE; FAILED_PRECONDITION where etcd does not take the user */
  static async open(url: URL, certificates: Certificates | undefined, calls: EtcdCalls): Promise<EtcdClient> {
    const client = new EtcdClient(url, certificates, calls);
    try {
      if (url.username !== '')
        await client.#authenticate(decodeURIComponent(url.username), decodeURIComponent(url.password));
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async range(range: EtcdRange): Promise<EtcdPage> {
    const answer = await this.#call('KV/Range', 'Range', { ...range });
    const {
      kvs = [],
      more = false,
      header,
    } = answer as {
      kvs?: ReadonlyArray<Partial<EtcdKeyValue>>;
      more?: boolean;
      header?: { revision?: string };
    };
    const empty = Buffer.alloc(0);
    const pairs = kvs.map(({ key = empty, value = empty, lease = '0' }) => ({ key, value, lease }));
    const bytes = pairs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    return { kvs: pairs, more, revision: header?.revision ?? '0', bytes };
  }

  /** Seconds that are left of a lease; less than 0 where it has ended. */
  async leaseSeconds(id: string): Promise<number> {
    const { ttl = '0' } = (await this.#call('Lease/LeaseTimeToLive', 'LeaseTimeToLive', { id })) as { ttl?: string };
    return Number(ttl);
  }

  close(): void {
    this.#client.close();
  }

  async #authenticate(name: string, password: string): Promise<void> {
    const answer = await this.#call('Auth/Authenticate', 'Authenticate', { name, password });
    this.#metadata.set('token', (answer as { token?: string }).token ?? '');
  }

  #call(method: string, message: string, request: object): Promise<object> {
    const [asked, answered] = [root.lookupType(`${message}Request`), root.lookupType(`${message}Response`)];
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        `/etcdserverpb.${method}`,
        (value: object) => Buffer.from(asked.encode(asked.fromObject(value)).finish()),
        (bytes: Buffer) => answered.toObject(answered.decode(bytes), { longs: String, bytes: Buffer }),
        request,
        this.#metadata,
        { deadline: this.#clock.wallMs() + deadlineMs },
        (error: ServiceError | null, answer?: object) => {
          this.#signal.removeEventListener('abort', cancel);
          if (error === null) resolve(answer ?? {});
          else reject(failureOf(error, this.#place));
        },
      );
      const cancel = () => call.cancel();
      this.#signal.addEventListener('abort', cancel, { once: true });
      if (this.#signal.aborted) cancel();
    });
  }
}

function failureOf({ code, details: why }: ServiceError, place: string): MeridianError {
  if (code === status.CANCELLED) return new MeridianError('CANCELLED', 'stopped', { reason: 'stopped' });
  if (code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED) {
    return new MeridianError('UNAVAILABLE', `etcd at ${place} is not reached: ${why}`, { reason: 'etcd-gone' });
  }
  const reason = code === status.RESOURCE_EXHAUSTED ? etcdTooMuch : 'etcd-refuses';
  return new MeridianError('FAILED_PRECONDITION', `etcd at ${place} says: ${why}`, { reason });
}
