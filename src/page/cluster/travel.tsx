import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { TellerJson, TrackJson, WrittenJson } from '../../http/page/page-json.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { node } from '../ask-node.ts';
import { useNamespaces } from '../data/namespaces.tsx';
import { Ask } from '../dialog.tsx';
import { Card, msText, Trouble } from '../words.tsx';
import { type Arrivals, arrivalsOf } from './arrivals.ts';
import type { Region } from './regions.ts';

/** Milliseconds between questions where the change is by now, and after which nobody asks any more. */
const lookMs = 250;
const giveUpMs = 15_000;

/** What is to be written, on its way to everybody. */
interface Draft {
  readonly namespace: string;
  readonly key: string;
  readonly text: string;
}

interface Travelling {
  readonly written: WrittenJson;
  readonly draft: Draft;
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
  const { travelling, error, taken, setTaken, start, send } = useTravel();
  useEffect(() => onArrivals(travelling?.arrivals), [travelling]);
  return (
    <Card
      title="Watch a change travel"
      note="Writes a key through this node. Each time is an upper bound, by the clock of the node that sends it on: the way back of the answer counts too."
    >
      <TravelForm start={start} />
      <Trouble error={error} />
      <p class="note" role="status">
        {travelling === undefined ? '' : summaryOf(travelling)}
      </p>
      {travelling === undefined ? null : <Arrived {...{ travelling, regions }} />}
      {taken === undefined ? null : (
        <Ask
          title={`${taken.key} is there already: overwrite its value, metadata and expiry?`}
          verb="Overwrite"
          run={async () => void send(taken, taken.version)}
          close={() => setTaken(undefined)}
        />
      )}
    </Card>
  );
}

/**
 * A key that is there already is overwritten only once that was agreed to, and in the version that was there; one that was
 * written here a moment ago is written again.
 */
function useTravel() {
  const [travelling, setTravelling] = useState<Travelling>();
  const [error, setError] = useState<unknown>();
  const [taken, setTaken] = useState<Draft & { readonly version: string }>();
  const round = useRef(0);
  useEffect(() => () => void round.current++, []);
  const send = async (draft: Draft, ifVersion: string) => {
    const own = ++round.current;
    setError(undefined);
    try {
      const written = await node.put({ ...draft, ifVersion, tracked: true });
      const show = (track: TrackJson, isOver: boolean) => {
        if (own === round.current) setTravelling({ written, draft, isOver, arrivals: arrivalsOf(track, written) });
      };
      await follow(written, () => own === round.current, show);
    } catch (thrown) {
      if (own === round.current) setError(thrown);
    }
  };
  const start = async (draft: Draft) => {
    const last = travelling?.draft.key === draft.key && travelling.draft.namespace === draft.namespace;
    const { found, version } = (await node.record(draft, 0, true)).record;
    const isOwn = last && version === travelling?.written.version;
    if (found && version !== undefined && !isOwn) setTaken({ ...draft, version });
    else await send(draft, found ? (version ?? 'absent') : 'absent');
  };
  return { travelling, error, taken, setTaken, start, send };
}

/** For whoever does not see the list: it says so once when a change sets out, and once when no more is to come. */
function summaryOf({ draft: { key }, arrivals, isOver }: Travelling): string {
  if (!isOver) return `${key} is written, and on its way.`;
  if (arrivals.size < 2) return `${key} is written. No node that follows this one was told of it.`;
  const times = [...arrivals.values()].filter((ms) => ms !== undefined);
  const all = `${times.length} of ${arrivals.size} nodes are known to have ${key}`;
  return `${all}, the last of them within ${msText(Math.max(...times))}.`;
}

/** @throws what the last look met, where it failed and there is to be no other */
async function follow(
  { position }: WrittenJson,
  isWanted: () => boolean,
  show: (track: TrackJson, isOver: boolean) => void,
): Promise<void> {
  const untilMs = performance.now() + giveUpMs;
  let last: TrackJson = { tellers: [] };
  for (;;) {
    const looked = await node.track(position).catch((error: unknown) => ({ error }));
    if (!isWanted()) return;
    if ('tellers' in looked) last = looked;
    const isThere = last.tellers.length > 0 && last.tellers.every(isTold);
    const isOver = performance.now() >= untilMs;
    show(last, isThere || isOver);
    if (isOver && 'error' in looked) throw looked.error;
    if (isThere || isOver) return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Long enough ago that all were told of it, and all have answered. */
function isTold({ ageMs, arrivals }: TellerJson): boolean {
  return ageMs > 1000 && arrivals.every(({ elapsedMs }) => elapsedMs !== undefined);
}

function TravelForm({ start }: { readonly start: (draft: Draft) => Promise<void> }) {
  const { namespaces, total, error } = useNamespaces();
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const [namespace = '', key = '', text = ''] = ['namespace', 'key', 'value'].map((name) => String(form.get(name)));
    setBusy(true);
    setRefused(await start({ namespace, key, text }).catch((thrown: unknown) => thrown));
    setBusy(false);
  };
  if (error !== undefined) return <Trouble error={error} />;
  if (namespaces?.length === 0) return <p class="note">There is no namespace to write to: make one under Data.</p>;
  return (
    <form class="row" onSubmit={submit}>
      {namespaces === undefined ? null : <NamespaceField namespaces={namespaces} total={total} />}
      <label>
        Key
        <input name="key" required defaultValue="meridian/travel" autocomplete="off" spellcheck={false} />
      </label>
      <label>
        Value
        <input name="value" defaultValue="hello, world" autocomplete="off" />
      </label>
      <button
        type="submit"
        class="main"
        disabled={namespaces === undefined}
        aria-disabled={isBusy ? 'true' : undefined}
      >
        {isBusy ? 'On its way…' : 'Write and watch'}
      </button>
      <Trouble error={refused} />
    </form>
  );
}

/** A choice of all, or, where not all are listed, the title of any. */
function NamespaceField({
  namespaces,
  total,
}: {
  readonly namespaces: readonly NamespaceInfo[];
  readonly total: number;
}) {
  const titles = useId();
  if (total > namespaces.length) {
    return (
      <label>
        Namespace
        <input name="namespace" required list={titles} autocomplete="off" spellcheck={false} />
        <datalist id={titles}>
          {namespaces.map(({ id, title }) => (
            <option key={id} value={title} />
          ))}
        </datalist>
      </label>
    );
  }
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
  travelling: { written, arrivals, isOver },
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
        Version <code>{written.version}</code>
      </p>
      <ol class="arrivals">
        {rows.map(({ region, ms, isTold: wasTold }) => (
          <li key={region.id}>
            <span class="who">{region.name}</span>
            <progress max={most} value={ms ?? 0} aria-hidden="true" />
            <span class="figure">
              {ms === 0 ? 'wrote it' : ms === undefined ? (wasTold ? late : 'not known from here') : msText(ms)}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
