import { useEffect, useState } from 'preact/hooks';
import type { KeysJson } from '../../http/page/page-json.ts';
import { dataAddress } from '../address.ts';
import { node } from '../ask-node.ts';
import { bytesText, msText, Trouble, timeText } from '../words.tsx';
import { useSettled } from './settled.ts';

/** Keys of one page: a list of any length is looked at in pages. */
const pageKeys = 50;

interface KeysProps {
  readonly namespace: string;
  readonly prefix: string;
  readonly chosen: string | undefined;
  /** Changes with each write, so that the list is asked for again. */
  readonly round: number;
}

/** The keys of a namespace from a prefix on, a page at a time. */
export function Keys(props: KeysProps) {
  const { namespace, prefix } = props;
  return (
    <section class="card keys" id="keys" aria-label="Keys" tabIndex={-1}>
      <Search key={namespace} {...props} />
      <KeyPages key={`${namespace} ${prefix}`} {...props} />
    </section>
  );
}

function KeyPages({ namespace, prefix, chosen, round }: KeysProps) {
  /** Of this page and those before it; the first has none. */
  const [cursors, setCursors] = useState<ReadonlyArray<string | undefined>>([undefined]);
  const { page, error } = usePage(namespace, prefix, cursors.at(-1), round);
  const next = page?.cursor;
  return (
    <>
      <Trouble error={error} />
      {page === undefined ? null : <KeyList page={page} {...{ namespace, prefix, chosen }} />}
      <div class="actions">
        <Turn name="Previous" turn={cursors.length < 2 ? undefined : () => setCursors(cursors.slice(0, -1))} />
        <Turn name="Next" turn={next === undefined ? undefined : () => setCursors([...cursors, next])} />
        <a class="button main" href={dataAddress({ namespace, prefix, key: '' })}>
          New key
        </a>
      </div>
    </>
  );
}

/** Not `disabled` at either end of the list: that would take the focus away from whoever has just pressed it. */
function Turn({ name, turn }: { readonly name: string; readonly turn: (() => void) | undefined }) {
  return (
    <button type="button" aria-disabled={turn === undefined ? 'true' : undefined} onClick={turn}>
      {name}
    </button>
  );
}

function usePage(namespace: string, prefix: string, cursor: string | undefined, round: number) {
  const [answer, setAnswer] = useState<{ readonly page?: KeysJson; readonly error?: unknown }>({});
  useEffect(() => {
    let isWanted = true;
    node.keys(namespace, prefix, cursor, pageKeys).then(
      (page) => isWanted && setAnswer({ page }),
      (error: unknown) => isWanted && setAnswer({ error }),
    );
    return () => {
      isWanted = false;
    };
  }, [namespace, prefix, cursor, round]);
  return { page: answer.page, error: answer.error };
}

function Search({ namespace, prefix }: KeysProps) {
  const [text, setText] = useState(prefix);
  useEffect(() => setText(prefix), [prefix]);
  const settled = useSettled(text);
  useEffect(() => {
    if (settled !== prefix) location.hash = dataAddress({ namespace, prefix: settled });
  }, [settled]);
  return (
    <search>
      <label>
        Keys that begin with
        <input
          type="search"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          autocomplete="off"
          spellcheck={false}
          placeholder="all keys"
        />
      </label>
    </search>
  );
}

function KeyList({ page, namespace, prefix, chosen }: Omit<KeysProps, 'round'> & { readonly page: KeysJson }) {
  const { keys, source, responder, boundMs } = page;
  const age =
    source === 'origin' ? '' : boundMs === undefined ? ', of unknown age' : `, at most ${msText(boundMs)} old`;
  return (
    <>
      <p class="note" aria-live="polite">
        {keys.length === 0 ? 'No keys here' : `${keys.length} keys${page.cursor === undefined ? '' : ' and more'}`},
        from the {source} at {responder}
        {age}.
      </p>
      <ul class="list">
        {keys.map(({ key, valueBytes, expiresAt, damaged }) => (
          <li key={key}>
            <a href={dataAddress({ namespace, prefix, key })} aria-current={key === chosen ? 'true' : undefined}>
              <span class="key">{key}</span>
              <span class="note">
                {damaged ? 'damaged' : bytesText(valueBytes)}
                {expiresAt === undefined ? '' : `, expires ${timeText(expiresAt)}`}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
