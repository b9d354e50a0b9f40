import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { KeyvStore } from '../../../src/client/adapters/keyv-store.ts';
import { type ServedNamespace, serveNamespace } from '../../client/adapters/served-namespace.ts';
import { vendorTools } from './vendor-tools.ts';

const tools = vendorTools();

/** From where it was installed, beside the Keyv that it asks for. */
async function load(path: string): Promise<Record<string, unknown>> {
  return import(/* @vite-ignore */ pathToFileURL(tools?.file(path) ?? '').href);
}

/** The suite is kept out of this package's own, as it brings the native modules of other stores along. */
describe.runIf(tools !== undefined)('the test suite of Keyv', async () => {
  let served: ServedNamespace;

  beforeAll(async () => {
    served = await serveNamespace();
  });

  afterAll(() => served.close());

  if (tools === undefined) return;
  const suite = (await load('@keyv/test-suite/dist/index.js'))['default'] as (...args: unknown[]) => void;
  const { default: Keyv } = await load('keyv/dist/index.js');
  const api = Object.assign(it, { it, beforeEach, afterEach });
  suite(api, Keyv, () => new KeyvStore(served.namespace));
});
