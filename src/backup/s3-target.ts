import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import { Backoff } from '../runtime/backoff.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { withEither } from '../runtime/with-either.ts';
import type { BackupTarget } from './backup-target.ts';

export interface S3Options {
  /** `s3://bucket` or `s3://bucket/prefix`. */
  readonly place: string;
  /** `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` and `AWS_ENDPOINT_URL`, as the vendor's tools take them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted where nobody waits any more. */
  readonly signal: AbortSignal;
  /** Milliseconds, from its first failure on, for which a request is tried again whose failure passes by itself. */
  readonly retryMs: number;
  /** Told of each failure that a request is tried again after. */
  readonly failed: (error: MeridianError) => void;
}

/** Milliseconds for one request: a part of some ten MiB over a slow line. */
const requestMsMax = 300_000;

/** Milliseconds between tries of a request. */
const pauses = { firstMs: 200, mostMs: 5_000 };

/*
 * Answers that pass by themselves, beside those with 5xx, by their status or by their code ("Error responses", Amazon S3 API
 * Reference): the server has no time now, or another request for the same name is under way; what came was cut short or changed
 * on the way; or the request was signed too long ago, before a machine slept, say: each try is signed anew.
 */
const passingStatuses = new Set([408, 409, 425, 429]);
const passingCode =
  /^(RequestTimeout|RequestTimeTooSkewed|RequestExpired|IncompleteBody|BadDigest|XAmzContentSHA256Mismatch|SlowDown|.*Throttl.*)$/;

/**
 * Backups in a bucket of whatever speaks Amazon S3's protocol (path-style requests, signature version 4: "Authenticating
 * Requests", Amazon S3 API Reference). A put is whole or not there, as S3 promises. Each request may be sent twice.
 */
export class S3Target implements BackupTarget {
  readonly place: string;
  readonly #options: S3Options;
  readonly #client: AwsClient;
  readonly #bucket: string;
  /** Of every key; empty, or with a slash behind it. */
  readonly #prefix: string;

  /** @throws INVALID_ARGUMENT where the place, or what is signed with, is missing */
  constructor(options: S3Options) {
    const { place } = options;
    // Container tools pass on what is unset as empty.
    const environment = Object.fromEntries(Object.entries(options.environment).filter(([, value]) => value !== ''));
    const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(place) ?? [];
    if (bucket === undefined) throw refused(`${place} is no s3://bucket/prefix`);
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
    if (accessKeyId === undefined || secretAccessKey === undefined) {
      throw refused('backups in a bucket need AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
    }
    const {
      AWS_SESSION_TOKEN: sessionToken,
      AWS_REGION: region = 'us-east-1',
      AWS_ENDPOINT_URL: endpoint,
    } = environment;
    const session = sessionToken === undefined ? {} : { sessionToken };
    // Its own retries know no passing answer but 429 and 5xx, no broken connection, and no signal.
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, ...session, region, service: 's3', retries: 0 });
    this.#options = options;
    this.place = place;
    if (endpoint?.includes('@') === true) {
      // It is not shown, here or by what fails later.
      throw refused('AWS_ENDPOINT_URL takes no user and no password: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do');
    }
    if (endpoint !== undefined && !(/^https?:\/\//i.test(endpoint) && URL.canParse(endpoint))) {
      throw refused(`AWS_ENDPOINT_URL must be a URL such as http://127.0.0.1:9000; it is ${JSON.stringify(endpoint)}`);
    }
    const base = (endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '');
    this.#bucket = `${base}/${bucket}`;
    this.#prefix = path === '' ? '' : `${path.replace(/\/+$/, '')}/`;
  }

  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix: this.#prefix });
      if (token !== undefined) query.set('continuation-token', token);
      const text = (await this.#request('GET', `${this.#bucket}?${query}`)).toString();
      for (const [, key = ''] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        names.push(textOf(key).slice(this.#prefix.length));
      }
      const [, next] = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(text) ?? [];
      token = next === undefined ? undefined : textOf(next);
    } while (token !== undefined);
    return names;
  }

  async read(name: string): Promise<Buffer> {
    return this.#request('GET', this.#urlOf(name));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.#request('PUT', this.#urlOf(name), bytes);
  }

  async remove(name: string): Promise<void> {
    try {
      await this.#request('DELETE', this.#urlOf(name));
    } catch (error) {
      // Some servers say so of a name that is gone.
      if (!isMeridianError(error, 'NOT_FOUND')) throw error;
    }
  }

  #urlOf(name: string): string {
    return `${this.#bucket}/${(this.#prefix + name).split('/').map(encodeURIComponent).join('/')}`;
  }

  /** Tries until it is answered, or refused. */
  async #request(method: string, url: string, body?: Uint8Array): Promise<Buffer> {
    const { clock, random, signal, retryMs, failed } = this.#options;
    const backoff = new Backoff(pauses, random);
    let giveUpMs: number | undefined;
    for (;;) {
      try {
        return await this.#try(method, url, body);
      } catch (error) {
        signal.throwIfAborted();
        const nowMs = clock.monotonicMs();
        giveUpMs ??= nowMs + retryMs;
        if (!isMeridianError(error, 'UNAVAILABLE') || nowMs >= giveUpMs) throw error;
        failed(error);
      }
      await sleep(clock, backoff.nextMs(), signal);
    }
  }

  /** @throws UNAVAILABLE where it may succeed by itself later; NOT_FOUND; FAILED_PRECONDITION */
  async #try(method: string, url: string, body: Uint8Array | undefined): Promise<Buffer> {
    // The server compares it with what arrived.
    const sha256 = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const request = { method, headers: { 'x-amz-content-sha256': sha256 }, ...(body === undefined ? {} : { body }) };
    const { response, answer } = await this.#fetch(url, request);
    if (response.ok) return answer;
    const { status, statusText } = response;
    const [, code = statusText] = /<Code>([^<]*)<\/Code>/.exec(answer.toString()) ?? [];
    if (code === 'NoSuchKey') throw new MeridianError('NOT_FOUND', `${url} is not there`, { reason: 'no-file' });
    const passes = status >= 500 || passingStatuses.has(status) || passingCode.test(code);
    throw this.#failed(passes ? 'UNAVAILABLE' : 'FAILED_PRECONDITION', `${status} ${code}`);
  }

  async #fetch(url: string, request: RequestInit): Promise<{ response: Response; answer: Buffer }> {
    try {
      return await withEither([this.#options.signal, AbortSignal.timeout(requestMsMax)], async (signal) => {
        const response = await this.#client.fetch(url, { ...request, signal });
        return { response, answer: Buffer.from(await response.arrayBuffer()) };
      });
    } catch (cause) {
      const { message, cause: inner } = cause as Error;
      const why = inner instanceof Error ? `${message}: ${inner.message}` : message;
      throw this.#failed('UNAVAILABLE', why, cause);
    }
  }

  #failed(code: 'UNAVAILABLE' | 'FAILED_PRECONDITION', why: string, cause?: unknown): MeridianError {
    const message = `the backups in ${this.place} cannot be reached: ${why}`;
    return new MeridianError(code, message, { reason: 'backup-target', cause });
  }
}

/** Of an element's content. */
function textOf(xml: string): string {
  const plain = xml.replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>');
  return plain.replaceAll('&amp;', '&');
}

function refused(message: string): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'backup-target' });
}
