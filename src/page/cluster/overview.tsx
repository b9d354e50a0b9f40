import { useState } from 'preact/hooks';
import type { ViewJson } from '../../http/page/page-json.ts';
import type { HotKey } from '../../model/cluster.ts';
import { worstBound } from '../../model/staleness.ts';
import { dataAddress } from '../address.ts';
import { boundText, Card, Known, msText, shareText, Table } from '../words.tsx';
import type { Arrivals } from './arrivals.ts';
import { type Region, type Remembered, regionsOf, remember, shownOf, stateOf, withGone } from './regions.ts';
import { Travel } from './travel.tsx';
import { WorldMap } from './world-map.tsx';

/** The whole cluster at a glance. */
export function Overview({
  view,
  remembered,
}: {
  readonly view: ViewJson;
  /** What earlier looks told. */
  readonly remembered: { current: Remembered };
}) {
  const [arrivals, setArrivals] = useState<Arrivals>();
  const told = regionsOf(view);
  const nowMs = performance.now();
  remembered.current = remember(told, remembered.current, nowMs);
  const all = withGone(remembered.current, nowMs, told);
  const regions = shownOf(all);
  return (
    <>
      <Summary view={view} regions={all} />
      <section class="card flush" aria-label="Map">
        <WorldMap regions={regions} arrivals={arrivals} />
        <Unplaced regions={regions} />
      </section>
      <Travel regions={regions} onArrivals={setArrivals} />
      <Card
        title="Nodes"
        note="Proven staleness: all that any origin wrote longer ago than this is there, by measurement."
      >
        <RegionTable regions={regions} />
        {all.length === regions.length ? null : (
          <p class="note">{`${regions.length} of ${all.length.toLocaleString('en')}, those that are not well first.`}</p>
        )}
      </Card>
      <Card title="Hot keys" note="Read most often at this node in the last minute, of those that you may read.">
        <HotKeys hotKeys={view.node.hotKeys} />
      </Card>
    </>
  );
}

function Summary({ view, regions }: { readonly view: ViewJson; readonly regions: readonly Region[] }) {
  const oldest = worstBound(regions.map(({ boundMs }) => boundMs));
  const well = regions.filter((region) => stateOf(region) === 'well').length;
  const places = new Set(regions.map(({ region }) => region).filter((region) => region !== '')).size;
  const figures: ReadonlyArray<readonly [string, string, string]> = [
    ['Nodes', String(regions.length), places === 1 ? 'in 1 region' : `in ${places} regions`],
    ['Feeds live', `${well} of ${regions.length}`, well === regions.length ? 'all are well' : 'look at the table'],
    ['Oldest', boundText(oldest), 'proven staleness of the last one'],
    view.node.role === 'origin'
      ? ['Writes', view.node.readOnly ? 'not taken' : 'taken', `by ${view.node.name}, this node`]
      : ['Hit rate', shareText(view.node.hitRate), `of reads at ${view.node.name}, this node`],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, figure, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <strong>
              <Known text={figure} />
            </strong>
            <span class="note">{note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Unplaced({ regions }: { readonly regions: readonly Region[] }) {
  const unplaced = regions.filter(({ location }) => location === undefined);
  if (unplaced.length === 0) return null;
  return (
    <p class="note beside">
      Not on the map, as they do not say where they are (<code>--location</code>):{' '}
      {unplaced.map(({ name }) => name).join(', ')}
    </p>
  );
}

const stateWords = { well: 'well', late: 'behind', gone: 'gone', unknown: 'unknown' } as const;

function RegionTable({ regions }: { readonly regions: readonly Region[] }) {
  return (
    <Table
      label="Nodes"
      head={['Node', 'Region', 'Proven staleness', 'Round trip', 'Hit rate', 'Feed']}
      rows={regions.map((region) => [
        <span key="name" class="who">
          <span
            class={`dot ${stateOf(region)} ${region.role}`}
            title={stateWords[stateOf(region)]}
            aria-hidden="true"
          />
          {region.name} <span class="note">{region.isHere ? `${region.role}, this node` : region.role}</span>
        </span>,
        region.region === '' ? <Known text="unknown" /> : region.region,
        <Known key="bound" text={boundText(region.boundMs)} />,
        region.isHere && region.role === 'origin' ? 'here' : <Known text={msText(region.roundTripMs)} />,
        region.role === 'origin' && region.hitRate === undefined ? '–' : <Known text={shareText(region.hitRate)} />,
        <Known key="feed" text={feedText(region)} />,
      ])}
    />
  );
}

function feedText({ isGone, goneMs, isReady, feed }: Region): string {
  if (goneMs !== undefined) return `gone: told of ${msText(goneMs)} ago`;
  if (isGone) return 'gone: not connected';
  if (feed === undefined) return 'unknown';
  return isReady === false ? `${feed}, not ready` : feed;
}

function HotKeys({ hotKeys }: { readonly hotKeys: readonly HotKey[] | undefined }) {
  if (hotKeys === undefined) return <Known text="unknown" />;
  if (hotKeys.length === 0) return <p class="note">No key that you may read was read here in the last minute.</p>;
  return (
    <Table
      label="Hot keys"
      head={['Key', 'Namespace', 'Reads', 'Off by at most']}
      rows={hotKeys.slice(0, 20).map(({ namespace, title, key, reads, error }) => [
        <a key="key" class="key" href={dataAddress({ namespace, key })}>
          {key}
        </a>,
        title === '' ? 'deleted' : title,
        Math.round(reads).toLocaleString('en'),
        Math.round(error).toLocaleString('en'),
      ])}
    />
  );
}
