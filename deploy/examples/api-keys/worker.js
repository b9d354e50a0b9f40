/**
 * API keys checked at the edge: who has none, or one that is disabled or lacks the scope, never reaches the API. The
 * store holds digests, so that whoever reads it learns no key.
 */
export default {
  async fetch(request, env) {
    const token = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
    if (token === undefined) return refusal(401, 'an API key is needed: Authorization: Bearer …');
    const holder = await env.API_KEYS.get(`key/${await digest(token)}`, { type: 'json', cacheTtl: 30 });
    if (holder === null || holder.enabled !== true) return refusal(403, 'this API key is not valid');
    const scope = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write';
    if (!holder.scopes.includes(scope)) return refusal(403, `this API key may not ${scope}`);

    const headers = new Headers(request.headers);
    // The API trusts these two, so what a caller sent in their place must not get through, nor the key itself.
    headers.delete('authorization');
    headers.set('x-user-id', holder.user);
    headers.set('x-scopes', holder.scopes.join(' '));
    return env.API.fetch(new Request(request, { headers }));
  },
};

async function digest(token) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function refusal(status, error) {
  return Response.json({ error }, { status, headers: status === 401 ? { 'www-authenticate': 'Bearer' } : {} });
}
