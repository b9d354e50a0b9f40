import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** One point of a line. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** Names the line. */
  readonly line: string;
  /** Dashed where it is false. Default: true. */
  readonly isSolid?: boolean;
}

export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly x: { readonly title: string; readonly isLog?: boolean };
  readonly y: { readonly title: string; readonly isLog?: boolean };
  readonly points: readonly Point[];
  /** Spans of x that are shaded, each with what it is. */
  readonly spans?: ReadonlyArray<{ readonly from: number; readonly to: number; readonly what: string }>;
}

/** Where the docs show them from. */
const folder = 'docs/plots';

/** Draws lines as an SVG, and says where. What is no number is left out. */
export async function drawPlot(plot: Plot): Promise<void> {
  const { spec } = compile(specOf(plot));
  const svg = await new View(parse(spec), { renderer: 'none' }).toSVG();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${plot.name}.svg`);
  writeFileSync(file, `${svg}\n`);
  console.log(`plotted: ${file}`);
}

function specOf({ title, x, y, points, spans = [] }: Plot): TopLevelSpec {
  const values = points
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y))
    .map(({ isSolid = true, ...point }) => ({ ...point, dash: isSolid ? 'solid' : 'dashed' }));
  const lines = [...new Set(values.map(({ line }) => line))];
  const shaded = {
    data: { values: [...spans] },
    mark: { type: 'rect', color: '#f3d9d9', opacity: 0.7 },
    encoding: { x: { field: 'from', type: 'quantitative' }, x2: { field: 'to' } },
  } as const;
  const named = {
    data: { values: [...spans] },
    mark: { type: 'text', align: 'left', baseline: 'top', dx: 4, dy: 4, color: '#8a3b3b' },
    encoding: { x: { field: 'from', type: 'quantitative' }, y: { value: 0 }, text: { field: 'what' } },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 12,
    title: { text: title, anchor: 'start', fontSize: 14 },
    width: 620,
    height: 300,
    config: { font: 'sans-serif', axis: { gridColor: '#e6e6e6' } },
    layer: [
      ...(spans.length === 0 ? [] : [shaded, named]),
      {
        data: { values },
        mark: { type: 'line', point: values.length < 200 ? { size: 24 } : false, strokeWidth: 2, clip: true },
        encoding: {
          x: { field: 'x', type: 'quantitative', title: x.title, scale: { type: x.isLog ? 'log' : 'linear' } },
          y: { field: 'y', type: 'quantitative', title: y.title, scale: { type: y.isLog ? 'log' : 'linear' } },
          color: { field: 'line', type: 'nominal', title: null, scale: { domain: lines }, legend: { labelLimit: 320 } },
          strokeDash: {
            field: 'dash',
            type: 'nominal',
            legend: null,
            scale: {
              domain: ['solid', 'dashed'],
              range: [
                [1, 0],
                [5, 4],
              ],
            },
          },
        },
      },
    ],
  } as TopLevelSpec;
}
