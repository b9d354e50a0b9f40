import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { serveResp } from '../../../resp/served.ts';
import { aCall, openOrigin } from '../../../rpc/loopback.ts';
import { vendorTools } from '../vendor-tools.ts';

const tools = vendorTools();

async function load(path: string): Promise<Record<string, unknown>> {
  return import(/* @vite-ignore */ pathToFileURL(tools?.file(path) ?? '').href);
}

/** The adapter deletes several keys in a transaction (MULTI), which there is none of. */
const excluded = new Set(['.deleteMany([keys]) should delete multiple key']);

type Adapter = new (url: string) => { disconnect(): Promise<void> };

/** Keyv over its own adapter for Redis, which is node-redis, run by the suite that Keyv has for all its adapters. */
describe.runIf(tools !== undefined)("the test suite of Keyv, through Keyv's adapter for Redis", async () => {
  const closing: Array<() => Promise<unknown>> = [];
  let url = '';

  beforeAll(async () => {
    const { origin, close } = await openOrigin();
    closing.push(close);
    await origin.create('config', aCall());
    const served = await serveResp(origin);
    closing.push(() => served.close());
    url = `redis://${served.address}`;
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  if (tools === undefined) return;
  const suite = (await load('@keyv/test-suite/dist/index.js'))['default'] as (...args: unknown[]) => void;
  const { default: Keyv } = await load('keyv/dist/index.js');
  const KeyvRedis = (await load('@keyv/redis/dist/index.js'))['default'] as Adapter;
  const unlessExcluded = (name: string, run: () => unknown) =>
    excluded.has(name) ? it.skip(name, run) : it(name, run);
  const api = Object.assign(unlessExcluded, { it: unlessExcluded, beforeEach, afterEach });
  const stores: Array<InstanceType<Adapter>> = [];
  suite(api, Keyv, () => {
    const store = new KeyvRedis(url);
    stores.push(store);
    return store;
  });
  closing.push(async () => {
    for (const store of stores) await store.disconnect().catch(() => {});
  });
});
