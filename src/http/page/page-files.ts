import { readdirSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MeridianError } from '../../model/errors.ts';

interface PageFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
}

const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);

/** The page may load its own files, show images that it made itself, and ask its own node. Nothing else, and nobody frames it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** The files of the page, read once, when the first of them is asked for. */
export class PageFiles {
  readonly #folder: string;
  #files: ReadonlyMap<string, PageFile> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Sends the file of this name; `index.html` is the page. @throws NOT_FOUND */
  send(response: ServerResponse, name: string, acceptsGzip: boolean): void {
    this.#files ??= readFiles(this.#folder);
    if (this.#files.size === 0) throw notFound('the page is not built: npm run build', 'page-not-built');
    const file = this.#files.get(name);
    if (file === undefined) throw notFound(`the page has no file ${name}`, 'unknown-path');
    const isPage = name === 'index.html';
    const bytes = acceptsGzip ? file.zipped : file.plain;
    response.setHeader('content-type', file.type);
    // The other files are named for what they hold.
    response.setHeader('cache-control', isPage ? 'no-cache' : 'public, max-age=31536000, immutable');
    response.setHeader('vary', 'accept-encoding');
    if (isPage) response.setHeader('content-security-policy', policy);
    response.setHeader('x-frame-options', 'DENY');
    if (acceptsGzip) response.setHeader('content-encoding', 'gzip');
    response.setHeader('content-length', bytes.byteLength);
    response.end(bytes);
  }
}

function readFiles(folder: string): ReadonlyMap<string, PageFile> {
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // A checkout that was not built serves everything but the page.
  }
  return new Map(
    names.flatMap((name) => {
      const type = types.get(extname(name));
      if (type === undefined) return [];
      const plain = readFileSync(join(folder, name));
      return [[name, { type, plain, zipped: gzipSync(plain, { level: 9 }) }] as const];
    }),
  );
}

function notFound(message: string, reason: string): MeridianError {
  return new MeridianError('NOT_FOUND', message, { reason });
}
