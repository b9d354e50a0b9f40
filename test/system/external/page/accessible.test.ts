import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import { ProcessCluster, placeOf } from '../../process-cluster.ts';
import { Browser, findingsOf, hasChromium, type PageOptions, regionOf } from './browser.ts';

describe.runIf(hasChromium())('the page, for everybody', () => {
  const cluster = new ProcessCluster();
  let origin: ChildNode | undefined;
  let browser: Browser;
  let namespace = '';

  beforeAll(async () => {
    origin = await cluster.start('origin', 'iad', { flags: ['--location', '38.9,-77.4'] });
    await cluster.start('edge', 'fra', { flags: ['--upstream', placeOf(origin.grpc), '--location', '50.1,8.7'] });
    const client = cluster.connect(origin);
    namespace = (await client.namespaces.create('flags')).id;
    await client.namespace('flags').put('beta', '{"on":true}', { metadata: { by: 'ops' } });
    await client.namespace('flags').get('beta');
    await client.namespace('flags').put(`long/${'x'.repeat(400)}`, 'y'.repeat(2000));
    browser = await Browser.launch();
  });

  afterAll(async () => {
    await browser?.close();
    await cluster.close();
  });

  const open = (options: PageOptions = {}): Promise<Page> => {
    if (origin === undefined) throw new Error('not started');
    return browser.open(origin, options);
  };
  const keyPath = (key: string) => `#/data?${new URLSearchParams({ namespace, key }).toString()}`;
  const ready: Record<string, (page: Page) => Promise<void>> = {
    '#/': (page) => regionOf(page, 'Nodes').getByText('fra').waitFor(),
    '#/members': (page) => regionOf(page, 'Members').getByText('fra').waitFor(),
    '#/data': (page) => page.getByRole('link', { name: 'flags' }).waitFor(),
  };
  const places = ['#/', '#/members', '#/data'];

  it.each(['light', 'dark'] as const)('has no findings of axe-core, %s', async (colorScheme) => {
    for (const path of places) {
      const page = await open({ path, colorScheme });
      await ready[path]?.(page);
      expect(await findingsOf(page), path).toEqual([]);
      await page.close();
    }
    const page = await open({ path: keyPath('beta'), colorScheme });
    await regionOf(page, 'Value, as JSON').waitFor();
    expect(await findingsOf(page), 'a record').toEqual([]);
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Value, as JSON').waitFor();
    expect(await findingsOf(page), 'the editor').toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('dialog').waitFor();
    expect(await findingsOf(page), 'a question').toEqual([]);
    await page.close();
  });

  it('is dark or light as the system is, and as was chosen', async () => {
    const page = await open({ colorScheme: 'dark' });
    const shade = async () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const theme = page.getByRole('button', { name: /^Theme/ });
    await theme.waitFor();
    // The style may come a moment after what it is of.
    await expect.poll(shade).not.toBe('rgba(0, 0, 0, 0)');
    const dark = await shade();
    await theme.click();
    await page.getByRole('button', { name: 'Theme: light. Change to dark' }).waitFor();
    await expect.poll(shade).not.toBe(dark);
    await theme.click();
    await page.getByRole('button', { name: 'Theme: dark. Change to auto' }).waitFor();
    await expect.poll(shade).toBe(dark);
    await page.close();
  });

  it('can be used by keyboard alone: a key is written, found, read, edited and deleted', async () => {
    const page = await open({ path: '#/data' });
    await ready['#/data']?.(page);
    await press(page, 'Skip to the content', 'Data');
    await follow(page, 'flags');
    await follow(page, 'New key');
    await expect.poll(() => page.evaluate(focused)).toBe('Key');
    await page.keyboard.type('by/keyboard');
    await reach(page, (name) => name === 'Value');
    await page.keyboard.type('hello');
    await follow(page, 'Write');
    await regionOf(page, 'by/keyboard').getByText('hello').waitFor();
    await follow(page, 'Edit');
    await expect.poll(() => page.evaluate(focused)).toBe('Value');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('goodbye');
    await follow(page, 'Write');
    await regionOf(page, 'by/keyboard').getByText('goodbye').waitFor();
    await follow(page, 'Delete…');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await follow(page, 'Delete…');
    await page.getByRole('dialog').waitFor();
    await follow(page, 'Delete');
    await page.getByText('This key was deleted').waitFor();
    await page.close();
  });

  it('leaves the focus of the keyboard nowhere: it goes on where the page does', async () => {
    const page = await open({ path: '#/data' });
    const stands = (name: string) => expect.poll(() => page.evaluate(focused)).toBe(name);
    await ready['#/data']?.(page);
    await follow(page, 'flags');
    await follow(page, 'New key');
    await stands('Key');
    await page.keyboard.type('focus');
    await reach(page, (name) => name === 'Value');
    await follow(page, 'Write');
    await stands('focus');
    await follow(page, 'Edit');
    await stands('Value');
    await follow(page, 'Cancel');
    await stands('focus');
    await follow(page, 'Edit');
    await stands('Value');
    await follow(page, 'Write');
    await stands('focus');
    await follow(page, 'Delete…');
    await page.getByRole('dialog').waitFor();
    await follow(page, 'Delete');
    await page.getByText('This key was deleted').waitFor();
    await stands('focus');
    await follow(page, 'Members');
    // The link has that name too.
    await expect.poll(() => page.evaluate('document.activeElement.tagName'), { timeout: 10_000 }).toBe('H1');
    await stands('Members');
    await page.close();
  });

  it.each([...places, 'a record'])('fits a phone without scrolling sideways: %s', async (place) => {
    const path = place === 'a record' ? keyPath(`long/${'x'.repeat(400)}`) : place;
    const page = await open({ path, width: 360, height: 740 });
    await (ready[place] ?? (() => regionOf(page, 'Value, as text').waitFor()))(page);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    expect(await findingsOf(page)).toEqual([]);
    await page.close();
  });

  it('goes from a key back to its list on a phone', async () => {
    const page = await open({ path: keyPath('beta'), width: 360, height: 740 });
    await regionOf(page, 'Value, as JSON').waitFor();
    await page.getByRole('link', { name: '← Keys' }).click();
    await regionOf(page, 'Keys').getByRole('link', { name: 'beta' }).waitFor();
    await expect.poll(() => page.evaluate(focused)).toBe('Keys');
    await page.close();
  });
});

/** The accessible name of what has the focus. */
const focused = `(() => {
  const at = document.activeElement;
  const label = at.getAttribute('aria-label') ?? (at.labels?.[0] ?? at).textContent;
  return at.labels?.[0] === undefined ? label : [...at.labels[0].childNodes].find((n) => n.nodeType === 3).textContent;
})()`;

/** Tabs on until what has the focus has that name. */
async function reach(page: Page, isIt: (name: string) => boolean): Promise<void> {
  const passed: string[] = [];
  for (let left = 80; left > 0; left--) {
    await page.keyboard.press('Tab');
    passed.push(String(await page.evaluate(focused)).trim());
    if (isIt(passed.at(-1) ?? '')) return;
  }
  throw new Error(`the keyboard does not reach it, but ${passed.slice(0, 40).join(' | ')}`);
}

async function follow(page: Page, name: string): Promise<void> {
  await page.getByText(name, { exact: true }).first().waitFor();
  await reach(page, (seen) => seen === name);
  await page.keyboard.press('Enter');
}

/** The first stop of the keyboard leads past what stands on every page. */
async function press(page: Page, first: string, content: string): Promise<void> {
  await page.keyboard.press('Tab');
  expect(await page.evaluate(focused)).toBe(first);
  await page.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement.id')).toBe('main');
  expect(await page.getByRole('heading', { name: content, level: 1 }).count()).toBe(1);
}
