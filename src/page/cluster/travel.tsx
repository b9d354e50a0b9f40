import { useEffect, useRef, useState } from 'preact/hooks';
import type { TellerJson, TrackJson, WrittenJson } from '../../http/page/page-json.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { node } from '../ask-node.ts';
import { useNamespaces } from '../data/namespaces.tsx';
import { Card, msText, Trouble } from '../words.tsx';
import { type Arrivals, arrivalsOf } from './arrivals.ts';
import type { Region } from './regions.ts';

/** Milliseconds between questions where the change is by now, and after which nobody asks any more. */
const lookMs = 250;
const giveUpMs = 15_000;

interface Travelling {
  readonly written: WrittenJson;
  readonly key: string;
  readonly arrivals: Arrivals;
  readonly isOver: boolean;
}

/** Writes a key here, and shows the milliseconds after which each node had it, as the nodes on its way measured them. */
export function Travel({
  regions,
  onArrivals,
}: {
  readonly regions: readonly Region[];
  readonly onArrivals: (arrivals: Arrivals | undefined) => void;
}) {
  const [travelling, setTravelling] = useState<Travelling>();
  const [error, setError] = useState<unknown>();
  const round = useRef(0);
  useEffect(() => onArrivals(travelling?.arrivals), [travelling]);
  useEffect(() => () => void round.current++, []);
  const start = async (namespace: string, key: string, text: string) => {
    const own = ++round.current;
    setError(undefined);
    try {
      const written = await node.put({ namespace, key, text, tracked: true });
      const show = (track: TrackJson, isOver: boolean) => {
        if (own === round.current) setTravelling({ written, key, isOver, arrivals: arrivalsOf(track, written) });
      };
      await follow(written, () => own === round.current, show);
    } catch (thrown) {
      if (own === round.current) setError(thrown);
    }
  };
  return (
    <Card
      title="Watch a change travel"
      note="Writes a key through this node. Each time is an upper bound, by the clock of the node that sends it on: the way back of the answer counts too."
    >
      <TravelForm onStart={start} />
      <Trouble error={error} />
      <div aria-live="polite">{travelling === undefined ? null : <Arrived {...{ travelling, regions }} />}</div>
    </Card>
  );
}

async function follow(
  { position }: WrittenJson,
  isWanted: () => boolean,
  show: (track: TrackJson, isOver: boolean) => void,
): Promise<void> {
  const untilMs = performance.now() + giveUpMs;
  for (;;) {
    const track = await node.track(position);
    if (!isWanted()) return;
    const isThere = track.tellers.length > 0 && track.tellers.every(isTold);
    const isOver = performance.now() >= untilMs;
    show(track, isThere || isOver);
    if (isThere || isOver) return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Long enough ago that all were told of it, and all have answered. */
function isTold({ ageMs, arrivals }: TellerJson): boolean {
  return ageMs > 1000 && arrivals.every(({ elapsedMs }) => elapsedMs !== undefined);
}

function TravelForm({
  onStart,
}: {
  readonly onStart: (namespace: string, key: string, text: string) => Promise<void>;
}) {
  const { namespaces, error } = useNamespaces();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    await onStart(String(form.get('namespace')), String(form.get('key')), String(form.get('value')));
    setBusy(false);
  };
  if (error !== undefined) return <Trouble error={error} />;
  if (namespaces?.length === 0) return <p class="note">There is no namespace to write to: make one under Data.</p>;
  return (
    <form class="row" onSubmit={submit}>
      <NamespaceSelect namespaces={namespaces ?? []} />
      <label>
        Key
        <input name="key" required value="meridian/travel" autocomplete="off" spellcheck={false} />
      </label>
      <label>
        Value
        <input name="value" value="hello, world" autocomplete="off" />
      </label>
      <button type="submit" class="main" disabled={isBusy || namespaces === undefined}>
        {isBusy ? 'On its way…' : 'Write and watch'}
      </button>
    </form>
  );
}

function NamespaceSelect({ namespaces }: { readonly namespaces: readonly NamespaceInfo[] }) {
  return (
    <label>
      Namespace
      <select name="namespace" required>
        {namespaces.map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Arrived({
  travelling: { written, key, arrivals, isOver },
  regions,
}: {
  readonly travelling: Travelling;
  readonly regions: readonly Region[];
}) {
  const most = Math.max(1, ...[...arrivals.values()].map((ms) => ms ?? 0));
  const rows = regions.map((region) => ({ region, ms: arrivals.get(region.id), isTold: arrivals.has(region.id) }));
  rows.sort((a, b) => (a.ms ?? Number.POSITIVE_INFINITY) - (b.ms ?? Number.POSITIVE_INFINITY));
  const late = isOver ? 'not heard of' : 'on its way…';
  return (
    <>
      <p class="note">
        <code>{key}</code> is version <code>{written.version}</code>
        {arrivals.size < 2 && isOver ? '. No node that follows this one was told of it.' : '.'}
      </p>
      <ol class="arrivals">
        {rows.map(({ region, ms, isTold: wasTold }) => (
          <li key={region.id}>
            <span class="who">{region.name}</span>
            <progress max={most} value={ms ?? 0} aria-hidden="true" />
            <span class="figure">
              {ms === 0 ? 'wrote it' : ms === undefined ? (wasTold ? late : 'not watched') : msText(ms)}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
