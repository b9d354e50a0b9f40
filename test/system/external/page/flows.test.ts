import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import { ProcessCluster, placeOf } from '../../process-cluster.ts';
import { Browser, hasChromium, regionOf } from './browser.ts';

/** A red dot. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==',
  'base64',
);
/** Bytes that the page may weigh, zipped. */
const weightMax = 150_000;

describe.runIf(hasChromium())('the page of a node without tokens', () => {
  const cluster = new ProcessCluster();
  let [origin, edge, browser]: [ChildNode?, ChildNode?, Browser?] = [];
  const at = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('not started');
    return part;
  };
  const open = (path = '#/', node = origin): Promise<Page> => at(browser).open(at(node), { path });

  beforeAll(async () => {
    origin = await cluster.start('origin', 'iad', { flags: ['--region', 'us-east', '--location', '38.9,-77.4'] });
    const upstream = ['--upstream', placeOf(origin.grpc)];
    const fra = ['--region', 'eu-central', '--location', '50.1,8.7', '--replicate', 'flags'];
    edge = await cluster.start('edge', 'fra', { flags: [...upstream, ...fra] });
    await cluster.start('edge', 'nowhere', { flags: upstream });
    const client = cluster.connect(origin);
    await client.namespaces.create('flags');
    const flags = client.namespace('flags');
    await flags.put('beta', '{"on":true,"id":12345678901234567890}', { metadata: { by: 'ops' } });
    await flags.put('theme', '{"dark":false}');
    await flags.put('picture', new Uint8Array(png));
    const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    await flags.put(attack, attack, { metadata: { attack } });
    for (let n = 0; n < 120; n++) await flags.put(`many/${String(n).padStart(3, '0')}`, String(n));
    browser = await Browser.launch();
  });

  afterAll(async () => {
    await browser?.close();
    await cluster.close();
  });

  it('shows every node with what is proven of its age, on the map where it says where it is', async () => {
    const page = await open();
    const nodes = regionOf(page, 'Nodes').getByRole('row');
    await nodes.filter({ hasText: 'fra edge' }).filter({ hasText: 'live' }).waitFor();
    await nodes.filter({ hasText: 'fra edge' }).filter({ hasText: '≤' }).waitFor();
    expect(await page.getByRole('img', { name: /map of the world with 2 nodes/ }).count()).toBe(1);
    expect(await regionOf(page, 'Map').textContent()).toContain('nowhere');
    // It has answered no read: that is not 0 %.
    expect(await nodes.filter({ hasText: 'fra edge' }).textContent()).toContain('unknown');
    await page.close();
  });

  it.each([
    ['at an origin', () => origin],
    ['at an edge', () => edge],
  ])('watches a change on its way to every node, %s', async (where, node) => {
    const page = await open('#/', node());
    await page.getByLabel('Key', { exact: true }).fill(`travel/${where}`);
    await page.getByRole('button', { name: 'Write and watch' }).click();
    const travel = regionOf(page, 'Watch a change travel').getByRole('listitem');
    await travel.filter({ hasText: 'iad' }).filter({ hasText: 'wrote it' }).waitFor();
    await travel.filter({ hasText: 'fra' }).filter({ hasText: /\d ms/ }).waitFor();
    await travel.filter({ hasText: 'nowhere' }).filter({ hasText: /\d ms/ }).waitFor();
    await page.close();
  });

  it('finds a key by its prefix, and goes through a long list in pages', async () => {
    const page = await open('#/data');
    await page.getByRole('link', { name: 'flags' }).click();
    await page.getByLabel('Keys that begin with').fill('many/');
    await page.getByRole('link', { name: 'beta' }).waitFor({ state: 'detached' });
    await page.getByText('50 keys and more').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'many/050' }).waitFor();
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByRole('link', { name: 'many/000' }).waitFor();
    await page.close();
  });

  it('shows and edits JSON as JSON, keeps its digits, and lets a write of no JSON not happen', async () => {
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'beta') });
    const value = regionOf(page, 'Value, as JSON');
    await value.waitFor();
    expect(await value.textContent()).toContain('12345678901234567890');
    expect(await regionOf(page, 'beta').textContent()).toMatch(/Version[0-9a-f]{32}/);
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Value, as JSON').fill('{"on":');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'no JSON' }).waitFor();
    await page.getByLabel('Value, as JSON').fill('{"on":false,"id":12345678901234567891}');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await value.filter({ hasText: '12345678901234567891' }).waitFor();
    expect(await cluster.connect(at(origin)).namespace('flags').get('beta')).toBe(
      '{"on":false,"id":12345678901234567891}',
    );
    expect(await regionOf(page, 'beta').textContent()).toContain('{"by":"ops"}');
    await page.close();
  });

  it('keeps what is typed for as long as it takes', async () => {
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'theme') });
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Metadata, as JSON').fill('{"by":"me"}');
    await looks(page, 2);
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await regionOf(page, 'theme').getByText('{"by":"me"}').waitFor();
    await page.getByRole('link', { name: 'Overview', exact: true }).click();
    await page.getByLabel('Key', { exact: true }).fill('mine');
    await looks(page, 2);
    expect(await page.getByLabel('Key', { exact: true }).inputValue()).toBe('mine');
    await page.close();
  });

  it('lets a change travel over no key that is there, unless that is agreed to', async () => {
    const flags = cluster.connect(at(origin)).namespace('flags');
    await flags.put('precious', 'old');
    const page = await open('#/', edge);
    await page.getByLabel('Key', { exact: true }).fill('precious');
    await page.getByRole('button', { name: 'Write and watch' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await flags.get('precious')).toBe('old');
    await page.getByRole('button', { name: 'Write and watch' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Overwrite' }).click();
    await page.getByRole('status').filter({ hasText: 'precious' }).waitFor();
    expect(await flags.get('precious')).toBe('hello, world');
    await page.close();
  });

  it('shows a value of any depth, and goes on', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    await cluster.connect(at(origin)).namespace('flags').put('deep', deep);
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'deep') });
    await regionOf(page, 'Value, as JSON').waitFor();
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Value, as JSON').fill('[]');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await regionOf(page, 'Value, as JSON').getByText('[]', { exact: true }).waitFor();
    await page.close();
  });

  it('overwrites nothing that somebody else wrote meanwhile', async () => {
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'theme') });
    await page.getByRole('button', { name: 'Edit' }).click();
    await cluster.connect(at(origin)).namespace('flags').put('theme', '{"dark":true}');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'Changed meanwhile' }).waitFor();
    expect(await cluster.connect(at(origin)).namespace('flags').get('theme')).toBe('{"dark":true}');
    await page.close();
  });

  it('makes a key with metadata and an expiry, through an edge, and reads it back at once', async () => {
    const page = await at(browser).open(at(edge), { path: await keyPath(cluster, edge, '') });
    await page.getByLabel('Key', { exact: true }).fill('new/one');
    await page.getByLabel('Value', { exact: true }).fill('hello');
    await page.getByLabel('Metadata, as JSON').fill('{"n":1}');
    await page.getByLabel('Expires').selectOption('in');
    await page.getByLabel('Seconds', { exact: true }).fill('3600');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await regionOf(page, 'new/one').getByText('hello').waitFor();
    expect(await regionOf(page, 'new/one').textContent()).toMatch(/Staleness(≤|<|the present)/);
    const { expiration } =
      (await cluster.connect(at(origin)).namespace('flags').list({ prefix: 'new/' })).keys[0] ?? {};
    expect(expiration).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('This key was deleted').waitFor();
    await page.close();
  });

  it('shows an image as an image, and takes a new value from a file', async () => {
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'picture') });
    const image = page.getByRole('img', { name: /image\/png/ });
    await image.waitFor();
    await page.waitForFunction('document.querySelector("img.picture").naturalWidth === 5');
    const file = join(cluster.folder, 'bytes.bin');
    writeFileSync(file, Buffer.from([0, 1, 2, 255]));
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('The new value, of a file').setInputFiles(file);
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await regionOf(page, 'Value, as bytes').getByText('00 01 02 ff').waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save as a file' }).click(),
    ]);
    expect([...readFileSync(await saved.path())]).toEqual([0, 1, 2, 255]);
    await page.close();
  });

  it('writes nothing over a value that is too large to be shown, unless a file with another is chosen', async () => {
    const flags = cluster.connect(at(origin)).namespace('flags');
    await flags.put('large', 'x'.repeat(1024 * 1024 + 1));
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'large') });
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Metadata, as JSON').fill('{"n":1}');
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'Choose the file' }).waitFor();
    expect((await flags.get('large'))?.length).toBe(1024 * 1024 + 1);
    await page.close();
  });

  it('takes an empty file for the value that it is', async () => {
    const flags = cluster.connect(at(origin)).namespace('flags');
    await flags.put('emptied', 'something');
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, 'emptied') });
    await page.getByRole('button', { name: 'Edit' }).click();
    const file = join(cluster.folder, 'empty.bin');
    writeFileSync(file, '');
    await page.getByLabel('Or the value of a file').setInputFiles(file);
    await page.getByRole('button', { name: 'Write', exact: true }).click();
    await page.getByText('The value is empty.').waitFor();
    expect(await flags.get('emptied')).toBe('');
    await page.close();
  });

  it('runs nothing of what others wrote into keys, values and metadata', async () => {
    const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    const page = await at(browser).open(at(origin), { path: await keyPath(cluster, origin, attack) });
    await regionOf(page, 'Value, as text').waitFor();
    expect(await page.title()).not.toContain('owned');
    expect(await page.locator('img').count()).toBe(0);
    await page.close();
  });

  it('makes, renames and deletes a namespace, the last by its title alone', async () => {
    const page = await open('#/data');
    await page.getByLabel('New namespace').fill('brief');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('button', { name: 'Rename…' }).click();
    await page.getByLabel('New title').fill('short');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('link', { name: 'short' }).waitFor();
    await page.getByRole('button', { name: 'Delete namespace…' }).click();
    const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete for good' });
    expect(await remove.isDisabled()).toBe(true);
    await page.getByLabel('Type its title to go on').fill('short');
    await remove.click();
    await page.getByRole('link', { name: 'short' }).waitFor({ state: 'detached' });
    await page.close();
  });

  it('renames one of more namespaces than are listed, which is reached by its link, and writes to it', async () => {
    const client = cluster.connect(at(origin));
    for (let n = 0; n < 201; n++) await client.namespaces.create(`ns-${n}`);
    const { id } = await client.namespaces.create('zz-last');
    const page = await open(`#/data?namespace=${id}`);
    await page.getByText(/^The first 200 of/).waitFor();
    await page.getByRole('button', { name: 'Rename…' }).click();
    await page.getByLabel('New title').fill('zz-renamed');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.goto(page.url().replace(/#.*/, '#/'));
    const travel = regionOf(page, 'Watch a change travel');
    await travel.getByLabel('Namespace').fill('zz-renamed');
    await travel.getByLabel('Key').fill('sent');
    await travel.getByRole('button', { name: 'Write and watch' }).click();
    await travel.getByText(/^Version /).waitFor();
    expect(await client.namespace('zz-renamed').get('sent')).toBe('hello, world');
    await page.goto(page.url().replace(/#.*/, `#/data?namespace=${id}`));
    await page.getByRole('button', { name: 'Delete namespace…' }).click();
    await page.getByLabel('Type its title to go on').fill('zz-renamed');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete for good' }).click();
    await page.getByText('Choose a namespace to see its keys.').waitFor();
    await expect(client.namespace('zz-renamed').get('sent')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await page.close();
  });

  it('lists members, the logs they write in, and what the node holds', async () => {
    const page = await open('#/members');
    await regionOf(page, 'Members').getByRole('row').filter({ hasText: 'fra' }).filter({ hasText: 'edge' }).waitFor();
    await regionOf(page, 'Logs and seals').getByRole('row').filter({ hasText: 'written in now' }).waitFor();
    await regionOf(page, 'What this node holds').getByRole('row').filter({ hasText: 'all' }).waitFor();
    await page.close();
  });

  it('goes on showing what it knew when its node dies, and says that it is old', async () => {
    const dying = await cluster.start('edge', 'dying', { flags: ['--upstream', placeOf(at(origin).grpc)] });
    const [own, others] = [await open('#/', dying), await open()];
    await regionOf(own, 'Nodes').getByText('iad').waitFor();
    const row = regionOf(others, 'Nodes').getByRole('row').filter({ hasText: 'dying' });
    await row.filter({ hasText: 'live' }).waitFor();
    await dying.kill();
    await own.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor();
    await own.getByText(/What is shown was told \d/).waitFor();
    await row.filter({ hasText: 'gone' }).waitFor();
    await own.close();
    await others.close();
  });

  it('asks nobody but its node, breaks none of its own policy, and weighs little', () => {
    const { requests, troubles } = at(browser);
    const nodes = requests.filter((url) => !url.startsWith('blob:')).map((url) => new URL(url).hostname);
    expect([...new Set(nodes)]).toEqual(['127.0.0.1']);
    expect(requests.length).toBeGreaterThan(20);
    expect(troubles).toEqual([]);
    const folder = 'dist/page-files';
    const bytes = readdirSync(folder).map((name) => gzipSync(readFileSync(join(folder, name))).byteLength);
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(weightMax);
  });
});

/** Until the page has looked at the cluster so many times more. */
async function looks(page: Page, count: number): Promise<void> {
  for (let left = count; left > 0; left--)
    await page.waitForResponse((response) => response.url().endsWith('/page/view'));
}

async function keyPath(cluster: ProcessCluster, node: ChildNode | undefined, key: string): Promise<string> {
  if (node === undefined) throw new Error('not started');
  const { id } = await cluster.connect(node).namespaces.get('flags');
  return `#/data?${new URLSearchParams({ namespace: id, key }).toString()}`;
}
