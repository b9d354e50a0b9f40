import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import { MeridianError } from '../model/errors.ts';
import type { BackupTarget } from './backup-target.ts';

export interface S3Options {
  /** `s3://bucket` or `s3://bucket/prefix`. */
  readonly place: string;
  /** `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` and `AWS_ENDPOINT_URL`, as the vendor's tools take them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Milliseconds for one request: a part of some ten MiB over a slow line. */
const requestMsMax = 300_000;
/** Tries of a request that the server answers with 429 or 5xx, with growing pauses. */
const retries = 6;

/**
 * Backups in a bucket of whatever speaks Amazon S3's protocol (path-style requests, signature version 4: "Authenticating
 * Requests", Amazon S3 API Reference). A put is whole or not there, as S3 promises.
 */
export class S3Target implements BackupTarget {
  readonly place: string;
  readonly #client: AwsClient;
  readonly #bucket: string;
  /** Of every key; empty, or with a slash behind it. */
  readonly #prefix: string;

  /** @throws INVALID_ARGUMENT where the place, or what is signed with, is missing */
  constructor({ place, environment }: S3Options) {
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
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, ...session, region, service: 's3', retries });
    this.place = place;
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
      const text = await (await this.#request('GET', `${this.#bucket}?${query}`)).text();
      for (const [, key = ''] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        names.push(textOf(key).slice(this.#prefix.length));
      }
      const [, next] = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(text) ?? [];
      token = next === undefined ? undefined : textOf(next);
    } while (token !== undefined);
    return names;
  }

  async read(name: string): Promise<Buffer> {
    return Buffer.from(await (await this.#request('GET', this.#urlOf(name))).arrayBuffer());
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await (await this.#request('PUT', this.#urlOf(name), bytes)).arrayBuffer();
  }

  async remove(name: string): Promise<void> {
    await (await this.#request('DELETE', this.#urlOf(name))).arrayBuffer();
  }

  #urlOf(name: string): string {
    return `${this.#bucket}/${(this.#prefix + name).split('/').map(encodeURIComponent).join('/')}`;
  }

  async #request(method: string, url: string, body?: Uint8Array): Promise<Response> {
    const signal = AbortSignal.timeout(requestMsMax);
    // The server compares it with what arrived.
    const sha256 = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    let response: Response;
    try {
      const headers = { 'x-amz-content-sha256': sha256 };
      response = await this.#client.fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
    } catch (cause) {
      const { message, cause: inner } = cause as Error;
      const why = inner instanceof Error ? `${message}: ${inner.message}` : message;
      throw this.#failed('UNAVAILABLE', why, cause);
    }
    if (response.ok) return response;
    const [, code = response.statusText] = /<Code>([^<]*)<\/Code>/.exec(await response.text()) ?? [];
    if (code === 'NoSuchKey') throw new MeridianError('NOT_FOUND', `${url} is not there`, { reason: 'no-file' });
    const isRefused = response.status >= 400 && response.status < 500 && response.status !== 429;
    throw this.#failed(isRefused ? 'FAILED_PRECONDITION' : 'UNAVAILABLE', `${response.status} ${code}`);
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
