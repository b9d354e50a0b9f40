import { land } from 'virtual:land';
import { boundText, msText } from '../words.tsx';
import { type Region, stateOf } from './regions.ts';

/** Tenths of degrees: what of the world is drawn. */
const frame = { west: -1800, north: -840, width: 3600, height: 1430 } as const;
const meridians = Array.from({ length: 13 }, (_, n) => -1800 + n * 300);
const parallels = [-600, -300, 0, 300];
/** Tenths of degrees between the lines of labels, so that neighbours do not cover each other. */
const labelHeight = 74;
const labelWidth = 620;
/** From a mark to its label. */
const labelGap = 72;
/** From the middle of a label to the line that its letters stand on. */
const labelDrop = 20;

interface Placed {
  readonly region: Region;
  readonly x: number;
  readonly y: number;
  /** Where its label stands. */
  readonly labelX: number;
  readonly labelY: number;
  readonly isLeft: boolean;
}

/**
 * Where the nodes are, each with what is proven of its age, or in how many milliseconds it had a change that is watched.
 * A picture: all that it says stands in the table below it too.
 */
export function WorldMap({
  regions,
  arrivals,
}: {
  readonly regions: readonly Region[];
  readonly arrivals: ReadonlyMap<string, number | undefined> | undefined;
}) {
  const placed = placesOf(regions);
  const origin = placed.find(({ region }) => arrivals?.get(region.id) === 0);
  return (
    <svg
      class="map"
      viewBox={`${frame.west} ${frame.north} ${frame.width} ${frame.height}`}
      role="img"
      aria-label={describe(regions)}
    >
      <g class="grid">
        {meridians.map((x) => (
          <line key={x} x1={x} x2={x} y1={frame.north} y2={frame.north + frame.height} />
        ))}
        {parallels.map((y) => (
          <line key={y} x1={frame.west} x2={frame.west + frame.width} y1={-y} y2={-y} />
        ))}
      </g>
      <path class="land" d={land} />
      {origin === undefined
        ? null
        : placed.map((to) => <Way key={to.region.id} from={origin} to={to} ms={arrivals?.get(to.region.id)} />)}
      {placed.map((place) => (
        <Mark key={place.region.id} place={place} text={textOf(place.region, arrivals)} />
      ))}
    </svg>
  );
}

function textOf(region: Region, arrivals: ReadonlyMap<string, number | undefined> | undefined): string {
  if (region.goneMs !== undefined) return 'gone';
  if (arrivals?.has(region.id)) {
    const ms = arrivals.get(region.id);
    if (ms === undefined) return '…';
    return ms === 0 ? 'wrote it' : msText(ms);
  }
  return region.boundMs === undefined ? 'age unknown' : boundText(region.boundMs);
}

function Mark({ place, text }: { readonly place: Placed; readonly text: string }) {
  const { region, x, y, labelX, labelY, isLeft } = place;
  const size = region.role === 'origin' ? 34 : 26;
  return (
    <g class={`mark ${stateOf(region)}`}>
      {labelY === y + labelDrop ? null : (
        <path class="leader" d={`M${x} ${y}L${labelX + (isLeft ? 12 : -12)} ${labelY - labelDrop}`} />
      )}
      {region.isHere ? <circle class="here" cx={x} cy={y} r={size + 20} /> : null}
      {region.role === 'origin' ? (
        <rect x={x - size} y={y - size} width={size * 2} height={size * 2} rx={10} />
      ) : (
        <circle cx={x} cy={y} r={size} />
      )}
      <text x={labelX} y={labelY} text-anchor={isLeft ? 'end' : 'start'}>
        <tspan class="name">{region.name}</tspan>
        <tspan class="figure" dx="16">
          {text}
        </tspan>
      </text>
    </g>
  );
}

/** A bow from where a change was written to where it went; drawn once it is there. */
function Way({ from, to, ms }: { readonly from: Placed; readonly to: Placed; readonly ms: number | undefined }) {
  if (from === to) return null;
  const [midX, midY] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  const lift = Math.min(380, Math.hypot(to.x - from.x, to.y - from.y) * 0.25);
  const path = `M${from.x} ${from.y}Q${midX} ${midY - lift} ${to.x} ${to.y}`;
  return <path class={ms === undefined ? 'way' : 'way there'} pathLength={1} d={path} />;
}

/** Labels go to the right of their marks, or to the left near the edge, and below those that they would cover. */
function placesOf(regions: readonly Region[]): readonly Placed[] {
  const placed: Placed[] = [];
  const located = regions.flatMap((region) => {
    if (region.location === undefined) return [];
    const [north, east] = region.location;
    return [{ region, x: Math.round(east * 10), y: Math.round(-north * 10) }];
  });
  for (const { region, x, y } of located.sort((a, b) => a.y - b.y)) {
    const isLeft = x > frame.west + frame.width - labelWidth - 100;
    const labelX = isLeft ? x - labelGap : x + labelGap;
    let labelY = y + labelDrop;
    const covers = (other: Placed) =>
      Math.abs(other.labelX - labelX) < labelWidth && Math.abs(other.labelY - labelY) < labelHeight;
    while (placed.some(covers)) labelY += labelHeight;
    placed.push({ region, x, y, labelX, labelY, isLeft });
  }
  return placed;
}

function describe(regions: readonly Region[]): string {
  const shown = regions.filter(({ location }) => location !== undefined);
  if (shown.length === 0) return 'A map of the world. No node says where it is.';
  const each = shown.map((region) => `${region.name}: ${textOf(region, undefined)}`);
  return `A map of the world with ${shown.length} nodes. ${each.join('; ')}. The table below says the same and more.`;
}
