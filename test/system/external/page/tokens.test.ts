import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import { meridianScript, ProcessCluster, placeOf } from '../../process-cluster.ts';
import { Browser, hasChromium, regionOf } from './browser.ts';

const adminToken = 'the-administrator-of-the-page-tests';
const run = promisify(execFile);

describe.runIf(hasChromium())('the page of a node with tokens', () => {
  const cluster = new ProcessCluster();
  let [origin, edge]: ChildNode[] = [];
  let browser: Browser;
  let app = '';

  beforeAll(async () => {
    const file = join(cluster.folder, 'admin');
    writeFileSync(file, adminToken);
    const flags = ['--admin-token-file', file, '--token-file', file];
    origin = await cluster.start('origin', 'iad', { flags });
    edge = await cluster.start('edge', 'fra', { flags: [...flags, '--upstream', placeOf(origin.grpc)] });
    const client = cluster.connect(origin, { token: adminToken });
    for (const title of ['flags', 'secrets']) await client.namespaces.create(title);
    await client.namespace('flags').put('beta/1', 'on');
    await client.namespace('flags').put('alpha/1', 'hidden');
    const scope = ['--name', 'app', '--namespace', 'flags', '--prefix', 'beta/', '--rights', 'read,list'];
    const words = ['token', 'create', '--endpoint', placeOf(origin.grpc), ...scope];
    const { stdout } = await run(process.execPath, [meridianScript, ...words], {
      env: { ...process.env, MERIDIAN_TOKEN: adminToken },
    });
    app = stdout.trim();
    browser = await Browser.launch();
  });

  afterAll(async () => {
    await browser?.close();
    await cluster.close();
  });

  const open = (node: ChildNode | undefined, path = '#/'): Promise<Page> => {
    if (node === undefined) throw new Error('not started');
    return browser.open(node, { path });
  };
  const signIn = async (page: Page, token: string) => {
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };

  it('shows nothing before a token is given, and refuses a wrong one', async () => {
    const page = await open(origin);
    await page.getByRole('heading', { name: 'This node asks for a token' }).waitFor();
    expect(await page.locator('body').textContent()).not.toContain('iad');
    await signIn(page, 'a-token-that-nobody-issued');
    await page.getByRole('alert').filter({ hasText: 'not valid' }).waitFor();
    await page.close();
  });

  it.each([
    ['an origin', () => origin],
    ['an edge', () => edge],
  ])('shows the whole cluster to an administrator, and lets him write, at %s', async (where, node) => {
    const page = await open(node());
    await signIn(page, adminToken);
    await regionOf(page, 'Nodes').getByRole('row').filter({ hasText: 'iad origin' }).waitFor();
    await regionOf(page, 'Nodes')
      .getByRole('row')
      .filter({ hasText: 'fra edge' })
      .filter({ hasText: 'live' })
      .waitFor();
    await page.getByLabel('Key', { exact: true }).fill(`travel/${where}`);
    await page.getByRole('button', { name: 'Write and watch' }).click();
    await regionOf(page, 'Watch a change travel')
      .getByRole('listitem')
      .filter({ hasText: 'fra' })
      .filter({ hasText: /\d ms/ })
      .waitFor();
    await page.close();
  });

  it('says what a token may not see, and shows what it may', async () => {
    const page = await open(origin);
    await signIn(page, app);
    await page.getByRole('alert').filter({ hasText: 'Not permitted.' }).filter({ hasText: 'status' }).waitFor();
    await page.getByRole('link', { name: 'Data', exact: true }).click();
    await page.getByRole('link', { name: 'flags' }).click();
    await regionOf(page, 'Keys').getByRole('alert').filter({ hasText: 'do not begin with beta/' }).waitFor();
    expect(await page.getByRole('link', { name: 'secrets' }).count()).toBe(0);
    await page.getByLabel('Keys that begin with').fill('beta/');
    await page.getByRole('link', { name: 'beta/1' }).click();
    await regionOf(page, 'Value, as text').getByText('on').waitFor();
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'no right to write' }).waitFor();
    await page.close();
  });

  it('keeps the token in the tab alone: in no address, no cookie, nothing that outlives it', async () => {
    const page = await open(origin);
    await signIn(page, adminToken);
    await regionOf(page, 'Nodes').getByText('iad').waitFor();
    await page.reload();
    await regionOf(page, 'Nodes').getByText('iad').waitFor();
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage)')).toBe('{}');
    expect(page.url()).not.toContain(adminToken);
    expect(browser.requests.filter((url) => url.includes(adminToken) || url.includes(app))).toEqual([]);
    const other = await open(origin);
    await other.getByRole('heading', { name: 'This node asks for a token' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'This node asks for a token' }).waitFor();
    expect(await page.locator('body').textContent()).not.toContain('iad');
    await page.close();
    await other.close();
    expect(browser.troubles).toEqual([]);
  });
});
