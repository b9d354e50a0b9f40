/** Static files at the edge: the value is the file, its metadata tell its type and its digest. */
export default {
  async fetch(request, env) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response('only GET and HEAD\n', { status: 405, headers: { allow: 'GET, HEAD' } });
    }
    const key = keyOf(new URL(request.url).pathname);
    if (key === undefined) return new Response('bad path\n', { status: 400 });
    // No key is longer, and to ask for one is an error.
    const found = new TextEncoder().encode(key).length <= 512 ? await env.ASSETS.getWithMetadata(key, 'stream') : none;
    if (found.value !== null) return answer(request, found, 200);
    const missing = await env.ASSETS.getWithMetadata('404.html', 'stream');
    return missing.value === null ? new Response('not found\n', { status: 404 }) : answer(request, missing, 404);
  },
};

const none = { value: null, metadata: null };

function keyOf(pathname) {
  try {
    const path = decodeURIComponent(pathname).slice(1);
    return path === '' || path.endsWith('/') ? `${path}index.html` : path;
  } catch {
    return undefined;
  }
}

async function answer(request, { value, metadata }, status) {
  const headers = new Headers({
    'content-type': metadata?.type ?? 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    // The edge answers in a millisecond and knows of changes; browsers need not keep what they can ask for.
    'cache-control': 'public, max-age=0, must-revalidate',
  });
  const etag = metadata?.digest === undefined ? undefined : `"${metadata.digest}"`;
  if (etag !== undefined) headers.set('etag', etag);
  if (status === 200 && etag !== undefined && asksFor(request, etag)) {
    await value.cancel();
    return new Response(null, { status: 304, headers });
  }
  if (request.method === 'GET') return new Response(value, { status, headers });
  await value.cancel();
  return new Response(null, { status, headers });
}

function asksFor(request, etag) {
  const tags = request.headers.get('if-none-match')?.split(',') ?? [];
  return tags.some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*');
}
