import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Keys of one page of a list. */
const pageKeys = 3;

interface Signed {
  readonly secret: string;
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

/**
 * One bucket over Amazon S3's protocol, as far as backups use it. It checks what S3 checks: the signature (version 4, by
 * "Create a signed AWS API request", AWS IAM User Guide) and the digest of the body; and lists in pages.
 */
export class S3Server {
  readonly objects = new Map<string, Buffer>();
  /** How the next requests fail, one each, before any is looked at: with an answer, or in the midst of one. */
  faults: ReadonlyArray<readonly [status: number, code: string] | 'cut'> = [];
  /** True where who removes what is not there is told so, as Google's does and Amazon's does not. */
  tellsGone = false;
  readonly #server: Server;
  readonly #bucket: string;
  readonly #keys: { readonly id: string; readonly secret: string };

  constructor(bucket: string, keys: { readonly id: string; readonly secret: string }) {
    this.#bucket = bucket;
    this.#keys = keys;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const fail = (status: number, code: string) => {
      response.statusCode = status;
      response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
    };
    const [fault, ...later] = this.faults;
    this.faults = later;
    if (fault === 'cut') {
      response.writeHead(200, { 'content-length': '100' }).write('<');
      return void setImmediate(() => response.destroy());
    }
    if (fault !== undefined) return fail(...fault);
    const { id, secret } = this.#keys;
    const [, givenId] = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '') ?? [];
    if (givenId !== id) return fail(403, 'InvalidAccessKeyId');
    if (!isSigned({ secret, request, body })) return fail(403, 'SignatureDoesNotMatch');
    const url = new URL(request.url ?? '/', 'http://s3');
    const [, bucket = '', ...path] = url.pathname.split('/');
    if (bucket !== this.#bucket) return fail(404, 'NoSuchBucket');
    const key = path.map(decodeURIComponent).join('/');
    if (key === '') return void response.end(this.#list(url.searchParams));
    const object = this.objects.get(key);
    const { method = '' } = request;
    if (object === undefined && (method === 'GET' || (method === 'DELETE' && this.tellsGone))) {
      return fail(404, 'NoSuchKey');
    }
    if (request.method === 'PUT') this.objects.set(key, body);
    if (request.method === 'DELETE') this.objects.delete(key);
    response.statusCode = request.method === 'DELETE' ? 204 : 200;
    response.end(request.method === 'GET' ? object : undefined);
  }

  #list(query: URLSearchParams): string {
    const after = query.get('continuation-token')?.slice('<after>'.length) ?? '';
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
      .sort();
    const page = keys.slice(0, pageKeys);
    const contents = page.map((key) => `<Contents><Key>${escaped(key)}</Key><Size>1</Size></Contents>`).join('');
    const isLast = page.length === keys.length;
    const next = isLast ? '' : `<NextContinuationToken>${escaped(`<after>${page.at(-1)}`)}</NextContinuationToken>`;
    return `<?xml version="1.0"?><ListBucketResult>${contents}<IsTruncated>${!isLast}</IsTruncated>${next}</ListBucketResult>`;
  }
}

function isSigned({ secret, request, body }: Signed): boolean {
  const { authorization = '', 'x-amz-content-sha256': digest, 'x-amz-date': time = '' } = request.headers;
  const [, scope = '', names = '', given] =
    /Credential=[^/]+\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)/.exec(authorization) ?? [];
  if (digest !== createHash('sha256').update(body).digest('hex')) return false;
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const canonical = [
    request.method,
    path,
    query.split('&').sort().join('&').replaceAll('+', '%20'),
    ...names.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    names,
    digest,
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((by, part) => createHmac('sha256', by).update(part).digest(), `AWS4${secret}`);
  return createHmac('sha256', key).update(toSign).digest('hex') === given;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
