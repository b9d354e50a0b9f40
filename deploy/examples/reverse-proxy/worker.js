/**
 * A reverse proxy whose routing table is data: the longest prefix of whole path segments that has a route decides, and a
 * route may send a share of its requests to another backend. One bulk get asks for all prefixes at once.
 */
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const prefixes = prefixesOf(url.pathname);
    const routes = await env.ROUTES.get(prefixes, 'json');
    const prefix = prefixes.find((candidate) => routes.get(candidate) !== null);
    if (prefix === undefined) return new Response('no service for this path\n', { status: 404 });

    const route = routes.get(prefix);
    const canary = route.canary !== undefined && Math.random() * 100 < route.canary.percent;
    const backend = new URL(canary ? route.canary.backend : route.backend);
    const path = route.strip === true && prefix !== '/' ? withoutPrefix(url.pathname, prefix) : url.pathname;
    const target = new URL(backend);
    target.pathname = path;
    target.search = url.search;
    const headers = new Headers(request.headers);
    headers.set('x-forwarded-host', url.host);
    headers.set('x-forwarded-proto', url.protocol.slice(0, -1));
    try {
      return await fetch(new Request(target, new Request(request, { headers, redirect: 'manual' })));
    } catch {
      return new Response(`the backend of ${prefix} does not answer\n`, { status: 502 });
    }
  },
};

const segmentsMax = 20;
/** Characters, which are bytes in a URL's path: no key is longer, and to ask for one is an error. */
const prefixMax = 512;

/** `/a/b/c` → `/a/b/c`, `/a/b`, `/a`, `/`. */
function prefixesOf(path) {
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .slice(0, segmentsMax);
  const prefixes = segments.map((_, index) => `/${segments.slice(0, segments.length - index).join('/')}`);
  return [...prefixes.filter(({ length }) => length <= prefixMax), '/'];
}

/** A path may have more slashes between its segments than the prefix has. */
function withoutPrefix(path, prefix) {
  const segments = prefix.split('/').length - 1;
  return path.replace(new RegExp(`^(?:/+[^/]+){${segments}}`), '') || '/';
}
