import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import {
  type ChannelCredentials,
  Client,
  connectivityState,
  credentials,
  status,
  type VerifyOptions,
} from '@grpc/grpc-js';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { type ClientTls, tlsBounds } from '../../runtime/tls.ts';
import { messageBytesMax, windowBytes } from '../proto.ts';

/*
 * A call that is given up, or whose deadline passes, resets its HTTP/2 stream. A server's HTTP/2 library takes many
 * resets for an attack (CVE-2023-44487) and ends the connection, and with it every other call: nghttp2 allows 1,000 at
 * once and 33 a second (nghttp2_option_set_stream_reset_rate_limit), whatever the node behind it would bear.
 *
 *     calls      1 … 500 given up within a second       501
 *     client     the first one                           a second one: new calls go there
 *     the first  ends by itself once its last call is over: a watch or a feed may stay on it as long as it likes
 */

/** Half of what nghttp2 allows: others may count the resets of one connection as well. */
const resets = { burst: 500, perSecond: 16 } as const;

/**
 * Milliseconds that a call waits for the connection, as long as a silent one is borne (`keepalive_timeout_ms`). gRPC's
 * library waits longer: for minutes if a host is off, as TCP does, and for ever if a process hangs and only its system
 * accepts.
 */
const connectMsMax = 10_000;

/** What all calls of gRPC's library have in common. */
export interface StartedCall {
  readonly call?: { cancelWithStatus(code: status, details: string): void };
  once(event: 'status', listener: (status: { readonly code: status }) => void): unknown;
}

interface InUse {
  readonly client: Client;
  calls: number;
  /** Resets that the connection may still see, as they are counted up to `countedMs`. */
  budget: number;
  countedMs: number;
  isReplaced: boolean;
  /** The timers of calls that wait for the connection. */
  readonly waiting: Set<Timer>;
  /** The next change of the connection is awaited. */
  isWatched: boolean;
  /** The TLS settings that it was opened with. */
  readonly tls: ClientTls | undefined;
}

export interface ClientsOptions {
  /** `host:port`. */
  readonly address: string;
  readonly clock: Pick<Clock, 'monotonicMs' | 'timer'>;
  /** Milliseconds that a call waits for the connection. Default: 10 s. */
  readonly connectMsMax?: number;
  /** The present TLS settings: when they change, a new connection is opened. Default: in the clear. */
  readonly tls?: () => ClientTls | undefined;
}

/** The client of gRPC's library for one address, replaced before its resets end the connection. */
export class Clients {
  readonly #address: string;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'timer'>;
  readonly #connectMsMax: number;
  readonly #tls: () => ClientTls | undefined;
  #current: InUse;
  #opened = 0;

  constructor({ address, clock, tls = () => undefined, ...bounds }: ClientsOptions) {
    this.#address = address;
    this.#clock = clock;
    this.#connectMsMax = bounds.connectMsMax ?? connectMsMax;
    this.#tls = tls;
    this.#current = this.#open();
  }

  /** How many were opened so far. */
  get opened(): number {
    return this.#opened;
  }

  get isConnected(): boolean {
    return isConnected(this.#current);
  }

  /** Begins a call on the client in use. It fails with UNAVAILABLE if the connection is not made in time. */
  start<T extends StartedCall>(begin: (client: Client) => T): T {
    if (this.#tls() !== this.#current.tls) this.#replace(this.#current);
    const used = this.#current;
    const call = begin(used.client);
    used.calls++;
    if (!isConnected(used)) this.#awaitConnection(used, call);
    call.once('status', ({ code }) => {
      used.calls--;
      if (code === status.CANCELLED || code === status.DEADLINE_EXCEEDED) this.#countReset(used);
      if (used.isReplaced && used.calls === 0) used.client.close();
    });
    return call;
  }

  close(): void {
    this.#current.client.close();
  }

  #open(): InUse {
    this.#opened++;
    const tls = this.#tls();
    return {
      tls,
      client: newClient(this.#address, tls),
      calls: 0,
      budget: resets.burst,
      countedMs: this.#clock.monotonicMs(),
      isReplaced: false,
      waiting: new Set(),
      isWatched: false,
    };
  }

  /** Fails a call if no connection was made since it began: it was not sent. The connection is still tried for. */
  #awaitConnection(used: InUse, started: StartedCall): void {
    const patience = this.#clock.timer(this.#connectMsMax, () => {
      const why = `none was made in ${this.#connectMsMax} ms`;
      started.call?.cancelWithStatus(status.UNAVAILABLE, `No connection established. Last error: ${why}`);
    });
    used.waiting.add(patience);
    started.once('status', () => {
      patience.cancel();
      used.waiting.delete(patience);
    });
    if (!used.isWatched) untilConnected(used);
  }

  #countReset(used: InUse): void {
    const nowMs = this.#clock.monotonicMs();
    const regained = ((nowMs - used.countedMs) / 1000) * resets.perSecond;
    used.budget = Math.min(resets.burst, used.budget + regained) - 1;
    used.countedMs = nowMs;
    if (used.budget < 1 && used === this.#current) this.#replace(used);
  }

  /** Calls that are under way on it go on there until they end. */
  #replace(used: InUse): void {
    this.#current = this.#open();
    used.isReplaced = true;
    if (used.calls === 0) used.client.close();
  }
}

function isConnected({ client }: InUse): boolean {
  return client.getChannel().getConnectivityState(false) === connectivityState.READY;
}

/** Cancels the timers of those that wait once the connection is made. */
function untilConnected(used: InUse): void {
  const channel = used.client.getChannel();
  const state = channel.getConnectivityState(false);
  if (state === connectivityState.READY) {
    for (const patience of used.waiting) patience.cancel();
    used.waiting.clear();
  } else if (state !== connectivityState.SHUTDOWN && used.waiting.size > 0) {
    used.isWatched = true;
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      used.isWatched = false;
      untilConnected(used);
    });
  }
}

/** Names are for hosts alone (RFC 6066): for an address none is sent, and the certificate must be for the address. */
const noName = 'address.invalid';

function channelCredentials(tls: ClientTls | undefined, ip: string | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const context = createSecureContext({ ...tls, minVersion: tlsBounds.minVersion });
  const asIp: VerifyOptions = { checkServerIdentity: (_name, cert) => checkServerIdentity(ip ?? '', cert) };
  return credentials.createFromSecureContext(context, ip === undefined ? {} : asIp);
}

/** The host of `host:port`, if it is an IP address. */
function ipOf(address: string): string | undefined {
  const host = address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

function newClient(address: string, tls: ClientTls | undefined): Client {
  const ip = ipOf(address);
  return new Client(address, channelCredentials(tls, ip), {
    ...(tls === undefined || ip === undefined ? {} : { 'grpc.ssl_target_name_override': noName }),
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc-node.flow_control_window': windowBytes,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.keepalive_permit_without_calls': 1,
    // Nodes at one address are different processes over time; nothing is shared between two connections.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    // A proxy in the environment is for the web: it would stand between a node and its neighbour, even on loopback.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
  });
}
