import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ViewJson } from '../http/page/page-json.ts';
import { type Place, usePlace } from './address.ts';
import { node, Refused, token } from './ask-node.ts';
import { Boundary } from './boundary.tsx';
import { Members } from './cluster/members.tsx';
import { Overview } from './cluster/overview.tsx';
import type { Remembered } from './cluster/regions.ts';
import { Browse } from './data/browse.tsx';
import { SignIn } from './sign-in.tsx';
import { ThemeButton } from './theme.tsx';
import { msText, Trouble } from './words.tsx';

/** Milliseconds between looks at how the cluster is, while anybody looks at the page. */
const lookMs = 2_000;
/** Milliseconds from which on the page says how old its figures are: the answer of a look is late. */
const oldMs = 2 * lookMs + 500;

interface Seen {
  readonly view?: ViewJson;
  /** When the view was told, by this browser's steady clock. */
  readonly toldMs: number;
  readonly error?: unknown;
}

function Page() {
  const place = usePlace();
  const [round, setRound] = useState(0);
  const { seen, forget } = useView(round);
  const again = () => setRound((before) => before + 1);
  const signOut = () => {
    token.forget();
    forget();
    location.hash = '#/';
    again();
  };
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Header place={place} view={seen.view} signOut={token.get() === undefined ? undefined : signOut} />
      <main id="main" tabIndex={-1}>
        {isUnknown(seen) ? <SignIn onSignedIn={again} /> : <Content key={round} place={place} seen={seen} />}
      </main>
    </>
  );
}

/** What is seen next, or how it comes from what was seen. */
type Looked = Seen | ((before: Seen) => Seen);

async function lookOnce(signal: AbortSignal): Promise<Looked> {
  try {
    return { view: await node.view(signal), toldMs: performance.now() };
  } catch (error) {
    const code = error instanceof Refused ? error.code : undefined;
    if (code === 'UNAUTHENTICATED') token.forget();
    // Whoever may not know it any more is not shown what he knew.
    if (code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED') return { toldMs: 0, error };
    return (before) => ({ ...before, error });
  }
}

function isUnknown(seen: Looked | undefined): boolean {
  return typeof seen === 'object' && seen.error instanceof Refused && seen.error.code === 'UNAUTHENTICATED';
}

/** Asks again and again while the tab is looked at; what was told last stays, and says how old it is. */
function useView(round: number): { readonly seen: Seen; readonly forget: () => void } {
  const [seen, setSeen] = useState<Seen>({ toldMs: 0 });
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      timer = undefined;
      const next = document.visibilityState === 'visible' ? await lookOnce(ending.signal) : undefined;
      if (ending.signal.aborted) return;
      if (next !== undefined) setSeen(next);
      // Whoever is not known is not asked for again and again: wrong tokens are counted.
      if (!isUnknown(next)) timer = setTimeout(look, lookMs);
    };
    const onVisible = () => {
      // Unset while a look is under way, or where there is to be none.
      if (timer === undefined || document.visibilityState !== 'visible') return;
      clearTimeout(timer);
      void look();
    };
    document.addEventListener('visibilitychange', onVisible);
    void look();
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [round]);
  return { seen, forget: () => setSeen({ toldMs: 0 }) };
}

function Content({ place, seen }: { readonly place: Place; readonly seen: Seen }) {
  const remembered = useRef<Remembered>(new Map());
  const { view, error } = seen;
  const heading = { overview: 'Overview', data: 'Data', members: 'Members' }[place.kind];
  const top = useTopFocus(place.kind);
  useEffect(() => {
    document.title = `${heading} · ${view?.node.name ?? 'Meridian'}`;
  }, [heading, view?.node.name]);
  return (
    <>
      <h1 class="hidden" ref={top} tabIndex={-1}>
        {heading}
      </h1>
      <Standing seen={seen} />
      <Boundary key={place.kind} what={heading.toLowerCase()}>
        {place.kind === 'data' ? <Browse place={place} /> : null}
        {place.kind === 'overview' && view !== undefined ? <Overview view={view} remembered={remembered} /> : null}
        {place.kind === 'members' && view !== undefined ? <Members view={view} /> : null}
      </Boundary>
      {place.kind !== 'data' && view === undefined && error === undefined ? <p class="note">Asking the node…</p> : null}
    </>
  );
}

/** Whoever opens another of the pages by keyboard goes on at its top. The first one is opened by the browser. */
function useTopFocus(kind: Place['kind']) {
  const top = useRef<HTMLHeadingElement>(null);
  const last = useRef(kind);
  useEffect(() => {
    if (kind !== last.current) top.current?.focus();
    last.current = kind;
  }, [kind]);
  return top;
}

/** Where the node does not answer, or not in time, or may not say how it is. */
function Standing({ seen: { view, toldMs, error } }: { readonly seen: Seen }) {
  const ageMs = useNow() - toldMs;
  if (view === undefined) return <Trouble error={error} />;
  return (
    <>
      <Trouble error={error} />
      {error === undefined && ageMs < oldMs ? null : <p class="note">What is shown was told {msText(ageMs)} ago.</p>}
    </>
  );
}

/** Milliseconds by this browser's steady clock, looked at each second and whenever there is something new to show. */
function useNow(): number {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((before) => before + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return performance.now();
}

const links = [
  ['overview', '#/', 'Overview'],
  ['data', '#/data', 'Data'],
  ['members', '#/members', 'Members'],
] as const;

function Header({
  place,
  view,
  signOut,
}: {
  readonly place: Place;
  readonly view: ViewJson | undefined;
  readonly signOut: (() => void) | undefined;
}) {
  return (
    <header>
      <a class="brand" href="#/" aria-label="Meridian, overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="13" />
          <ellipse cx="16" cy="16" rx="5.5" ry="13" />
          <path d="M16 3v26M3.6 12h24.8M3.6 20h24.8" />
        </svg>
        <span>Meridian</span>
      </a>
      <nav aria-label="Pages">
        {links.map(([kind, address, title]) => (
          <a key={kind} href={address} aria-current={place.kind === kind ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div class="tools">
        <span class="at">{view === undefined ? '' : `${view.node.role} ${view.node.name}`}</span>
        <ThemeButton />
        {signOut === undefined ? null : (
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

const at = document.getElementById('page');
if (at !== null) render(<Page />, at);
