/**
 * Distributed configuration: redirects, a banner and an A/B test, all in one JSON document that is changed without a
 * deployment. A visitor stays in his group: it is drawn by his cookie, so that every region decides the same.
 */
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const config = (await env.CONFIG.get('site', 'json')) ?? {};
    const target = config.redirects?.[url.pathname];
    if (target !== undefined) return Response.redirect(new URL(target, url), 302);

    const known = /(?:^|;\s*)visitor=([\w-]+)/.exec(request.headers.get('cookie') ?? '')?.[1];
    const visitor = known ?? crypto.randomUUID();
    const group = await groupOf(visitor, config.test);
    const headers = { 'content-type': 'application/json' };
    if (known === undefined)
      headers['set-cookie'] = `visitor=${visitor}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`;
    const page = { banner: config.banner ?? null, group, ...config.test?.groups?.[group]?.shows };
    return new Response(JSON.stringify(page), { headers });
  },
};

/** Groups have shares of the visitors, in percent; whoever is in none of them is in `control`. */
async function groupOf(visitor, test) {
  if (test === undefined) return 'control';
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${test.name}/${visitor}`));
  // 0 to 99.99…: of the digest's first four bytes.
  let point = (new DataView(digest).getUint32(0) / 2 ** 32) * 100;
  for (const [name, { percent }] of Object.entries(test.groups)) {
    if (point < percent) return name;
    point -= percent;
  }
  return 'control';
}
