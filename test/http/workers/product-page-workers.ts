/** The four Workers of the product page, letter by letter. */
const asOnThePage = {
  store: `export default {
  async fetch(request, env, ctx): Promise<Response> {

    await env.KV.put('KEY', 'VALUE');
    const value = await env.KV.get('KEY');
    const allKeys = await env.KV.list();
    await env.KV.delete('KEY');

    return new Response(
      JSON.stringify({
        value: value,
        allKeys: allKeys,
      }),
    );
  },
};`,
  abTest: `export default {
  async fetch(request, env) {
    // Get the entire A/B test configuration object from KV
    const config = await env.CONFIG_STORE.get("homepage-test", "json");

    // Assign user to a group (e.g., based on a cookie or URL)
    const group = request.headers.get("X-User-Group") || "control";

    // Return the specific configuration for the user's group
    const variantData = config[group] || config.control;
    return new Response(JSON.stringify(variantData), {
      headers: { "content-type": "application/json" },
    });
  },
} satisfies ExportedHandler<Env>;`,
  apiKeys: `export default {
  async fetch(request, env) {
    // Get Authorization key from request headers
    const apiKey = request.headers.get("Authorization")?.replace("Bearer ", "");

    if (!apiKey) {
      return new Response("Authorization header missing", { status: 401 });
    }

    // Check if the API key is valid and get associated metadata
    const keyData = await env.API_KEYS.get(apiKey, "json");

    if (keyData && keyData.enabled) {
      // Key is valid, add user info to the request and fetch the origin
      const newHeaders = new Headers(request.headers);
      newHeaders.set("X-User-ID", keyData.userId);
      return fetch(request, { headers: newHeaders });
    }

    return new Response("Invalid API Key", { status: 403 });
  },
} satisfies ExportedHandler<Env>;`,
  routing: `export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const path = url.pathname; // e.g., "/api/users"

    // Look up the path prefix (e.g., "/api") to find the correct origin hostname
    const pathPrefix = "/" + path.split('/')[1];
    const originHostname = await env.ROUTING_RULES.get(pathPrefix);

    if (originHostname) {
      // Construct the new URL for the backend service
      const newUrl = new URL(url);
      newUrl.hostname = originHostname;

      // Act as a reverse proxy: fetch the content from the backend
      // and return it to the original client.
      return fetch(newUrl.toString(), request);
    }

    // If no route matches, return a 404 or forward to a default origin
    return new Response("Service not found for this path", { status: 404 });
  },
} satisfies ExportedHandler<Env>;`,
} as const;

/** The same as the runtime takes them: what bundles a Worker takes its types away, and these two are all they have. */
export const productPageWorkers = {
  store: withoutTypes(asOnThePage.store),
  abTest: withoutTypes(asOnThePage.abTest),
  apiKeys: withoutTypes(asOnThePage.apiKeys),
  routing: withoutTypes(asOnThePage.routing),
} as const;

function withoutTypes(source: string): string {
  return source.replace(': Promise<Response>', '').replace(' satisfies ExportedHandler<Env>', '');
}
