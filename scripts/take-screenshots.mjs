// Takes the pictures of the page that the README shows, of a running demo (`npm run demo`, whose origin serves the page):
//     node scripts/take-screenshots.mjs http://127.0.0.1:8100 docs/images
// Needs Debian's chromium. Writes overview-light.png, overview-dark.png, data-light.png and phone-dark.png.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [address = 'http://127.0.0.1:8100', folder = 'docs/images'] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'meridian-pictures-'));
const args = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--hide-scrollbars'],
];

mkdirSync(folder, { recursive: true });
const context = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args });
try {
  await overview('light');
  await overview('dark');
  await data();
  await phone();
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}

async function open(path, { width, height, colorScheme }) {
  const page = await context.newPage();
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme });
  await page.goto(`${address}/${path}`);
  return page;
}

async function overview(colorScheme) {
  const page = await open('#/', { width: 1280, height: 1180, colorScheme });
  // The first write may wait for what the browser's start left the machine to do.
  for (let round = 0; round < 2; round++) {
    await page.getByRole('button', { name: 'Write and watch' }).click();
    await page.getByRole('button', { name: 'On its way' }).waitFor();
    await page.getByRole('button', { name: 'Write and watch' }).waitFor();
  }
  // The way of the bow is drawn.
  await page.waitForTimeout(1500);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `overview-${colorScheme}.png`) });
  await page.close();
}

async function data() {
  const page = await open('#/data', { width: 1280, height: 760, colorScheme: 'light' });
  await page.getByRole('link', { name: 'documents' }).click();
  await page.getByRole('region', { name: 'Keys' }).getByRole('listitem').nth(3).getByRole('link').click();
  await page.getByRole('button', { name: 'Edit' }).waitFor();
  await page.screenshot({ path: join(folder, 'data-light.png') });
  await page.close();
}

async function phone() {
  const page = await open('#/', { width: 390, height: 844, colorScheme: 'dark' });
  await page.getByRole('region', { name: 'Nodes' }).first().waitFor();
  await page.screenshot({ path: join(folder, 'phone-dark.png') });
  await page.close();
}
