import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

/** Milliseconds for a change to arrive; it takes a fraction of a second, and a machine may be busy. */
const arrivalMsMax = 20_000;

/**
 * Asks every Worker in every region, makes one change for each at the origin, and asks until each region shows it.
 * Prints how long that took. True if all of it was seen.
 */
export async function tour({ cluster, running, backends, titles }) {
  let held = true;
  for (const { example, what, before, change, after } of steps({ cluster, backends, titles })) {
    const visits = running.map(({ name, urls }) => ({ name, visit: before.bind(undefined, urls[example]) }));
    for (const { name, visit } of visits)
      held = report(`${example} in ${name}: ${what.before}`, await seen(visit)) && held;
    await change();
    const changedAt = performance.now();
    const arrivals = running.map(async ({ name, urls }) => {
      const arrived = await seen(() => after(urls[example]));
      return report(
        `${example} in ${name}: ${what.after}, ${Math.round(performance.now() - changedAt)} ms later`,
        arrived,
      );
    });
    for (const arrived of await Promise.all(arrivals)) held = arrived && held;
  }
  console.log(held ? 'every change was seen in every region' : 'something was not seen');
  return held;
}

function report(claim, held) {
  console.log(`${held ? 'seen' : 'NOT SEEN'}  ${claim}`);
  return held;
}

/** Whether the check holds within the time; a request that fails is one that does not show it yet. */
async function seen(check) {
  const until = performance.now() + arrivalMsMax;
  for (;;) {
    if (await check().catch(() => false)) return true;
    if (performance.now() > until) return false;
    await wait(5);
  }
}

function steps({ cluster, backends, titles }) {
  const at = (example) => cluster.namespace(titles[example]);
  const asBob = { headers: { authorization: 'Bearer demo-key-of-bob' } };
  const digest = createHash('sha256').update('demo-key-of-bob').digest('hex');
  const banner = async (url) => (await (await fetch(url)).json()).banner;
  const text = async (url, init) => (await fetch(url, init)).text();
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
  return [
    {
      example: 'configuration',
      what: { before: 'the banner', after: 'the new banner' },
      before: async (url) => (await banner(url)) === 'Welcome',
      change: () => at('configuration').put('site', JSON.stringify({ banner: 'Changed at the origin' })),
      after: async (url) => (await banner(url)) === 'Changed at the origin',
    },
    {
      example: 'api-keys',
      what: { before: 'bob gets through', after: 'his key is taken away' },
      before: async (url) => (await text(`${url}/orders`, asBob)).includes('for bob'),
      change: () => at('api-keys').delete(`key/${digest}`),
      after: async (url) => (await fetch(`${url}/orders`, asBob)).status === 403,
    },
    {
      example: 'reverse-proxy',
      what: { before: 'the route to blue', after: 'the route to green' },
      before: async (url) => (await text(`${url}/users/7?a=b`)).startsWith('blue answers GET /7?a=b'),
      change: () => at('reverse-proxy').put('/users', JSON.stringify({ backend: `http://${backends.green}` })),
      after: async (url) => (await text(`${url}/users/7`)).startsWith('green answers GET /users/7'),
    },
    {
      example: 'static-assets',
      what: { before: 'an icon', after: 'the new icon' },
      before: async (url) =>
        (await fetch(`${url}/icons/meridian.svg`)).headers.get('content-type').startsWith('image/svg'),
      change: () => at('static-assets').put('icons/meridian.svg', svg, { metadata: { type: 'image/svg+xml' } }),
      after: async (url) => (await text(`${url}/icons/meridian.svg`)) === svg,
    },
  ];
}
