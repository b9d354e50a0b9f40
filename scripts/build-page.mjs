// Builds the page of a node, src/page, into dist/page-files: one page, one script, one style sheet, one icon. The map is
// made here of Natural Earth's outlines of land (public domain), so that the page asks nobody for it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { feature } from 'topojson-client';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const landFile = createRequire(import.meta.url).resolve('world-atlas/land-110m.json');

/** Degrees: points of an outline that are nearer to the last one are left out. */
const stepMin = 0.7;
/** Degrees north: what lies below is left out. Nobody runs a node there. */
const southMost = -58;

/** One path in tenths of degrees, x to the east and y to the south. */
function landPath() {
  const world = JSON.parse(readFileSync(landFile, 'utf8'));
  const polygons = feature(world, world.objects.land).features.flatMap(({ geometry }) => geometry.coordinates);
  return polygons
    .flat()
    .filter((ring) => ring.some(([, north]) => north > southMost))
    .flatMap(unbroken)
    .map(thinned)
    .filter((ring) => ring.length > 3)
    .map(ringPath)
    .join('');
}

/** An outline that crosses the 180th meridian, once on each side of the map; the frame cuts off what lies beyond. */
function unbroken(ring) {
  let turns = 0;
  const whole = ring.map(([east, north], n) => {
    const step = n === 0 ? 0 : east - ring[n - 1][0];
    if (Math.abs(step) > 180) turns -= Math.sign(step);
    return [east + turns * 360, north];
  });
  const shifted = (by) => whole.map(([east, north]) => [east + by, north]);
  const easts = whole.map(([east]) => east);
  return [
    whole,
    ...(Math.max(...easts) > 180 ? [shifted(-360)] : []),
    ...(Math.min(...easts) < -180 ? [shifted(360)] : []),
  ];
}

/** A start, and then steps: they are shorter than places. */
function ringPath([[x, y], ...rest]) {
  let [lastX, lastY] = [x, y];
  const steps = rest.map(([nextX, nextY]) => {
    const step = `l${nextX - lastX} ${nextY - lastY}`;
    [lastX, lastY] = [nextX, nextY];
    return step;
  });
  return `M${x} ${y}${steps.join('')}z`.replaceAll(' -', '-');
}

function thinned(ring) {
  const kept = [];
  let last;
  for (const [east, north] of ring) {
    if (last !== undefined && Math.hypot(east - last[0], north - last[1]) < stepMin) continue;
    last = [east, north];
    kept.push([Math.round(east * 10), Math.round(-north * 10)]);
  }
  return kept;
}

const land = {
  name: 'land',
  resolveId: (id) => (id === 'virtual:land' ? '\0land' : undefined),
  load: (id) => (id === '\0land' ? `export const land = ${JSON.stringify(landPath())};` : undefined),
};

await build({
  configFile: false,
  root: join(root, 'src/page'),
  base: '/page/files/',
  logLevel: 'warn',
  plugins: [land],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(root, 'dist/page-files'),
    emptyOutDir: true,
    assetsDir: '',
    // A policy that allows no data: address would not load them.
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
  },
});
