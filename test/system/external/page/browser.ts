import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import { placeOf } from '../../process-cluster.ts';

const executablePath = '/usr/bin/chromium';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** False where there is none; whoever asks says that a test is skipped. */
export function hasChromium(): boolean {
  const isThere = existsSync(executablePath);
  if (!isThere) console.warn("SKIPPED: the page's tests need Debian's chromium (apt-get install chromium)");
  return isThere;
}

export interface PageOptions {
  readonly path?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

/** A real Chromium with a profile of its own, which writes down what it was asked to load and what went wrong. */
export class Browser {
  readonly #context: BrowserContext;
  readonly #profile: string;
  /** Of every request of every page. */
  readonly requests: string[] = [];
  /** Uncaught errors, and what the policy of a page refused. */
  readonly troubles: string[] = [];

  private constructor(context: BrowserContext, profile: string) {
    this.#context = context;
    this.#profile = profile;
    context.setDefaultTimeout(30_000);
    context.on('request', (request) => this.requests.push(request.url()));
    context.on('weberror', (error) => this.troubles.push(String(error.error())));
    context.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !/^Failed to load resource/.test(text)) this.troubles.push(text);
    });
  }

  static async launch(): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'meridian-chromium-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
        ...['--disable-component-update', '--disable-sync'],
      ],
    });
    return new Browser(context, profile);
  }

  /** A tab at the page of a node. */
  async open(node: ChildNode, options: PageOptions = {}): Promise<Page> {
    const { path = '#/', width = 1280, height = 900, colorScheme = 'light' } = options;
    const page = await this.#context.newPage();
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(`http://${placeOf(node.http)}/${path}`);
    return page;
  }

  async close(): Promise<void> {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true });
  }
}

interface Finding {
  readonly id: string;
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary?: string }>;
}

/** What axe-core, with all of its rules, finds wrong with the page as it is now. */
export async function findingsOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const violations = (await page.evaluate(`axe.run().then(({ violations }) => violations)`)) as readonly Finding[];
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

export const regionOf = (page: Page, name: string) => page.getByRole('region', { name, exact: true }).first();
