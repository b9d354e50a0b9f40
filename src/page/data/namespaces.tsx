import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { dataAddress } from '../address.ts';
import { node } from '../ask-node.ts';
import { Ask } from '../dialog.tsx';
import { Trouble } from '../words.tsx';

export interface KnownNamespaces {
  /** Unset until they are told. */
  readonly namespaces: readonly NamespaceInfo[] | undefined;
  /** How many there are; more than are listed, where there are many. */
  readonly total: number;
  readonly error: unknown;
  readonly reload: () => Promise<void>;
}

const nothing = { namespaces: undefined, total: 0 } as const;

/** Those that the caller may use, and whose titles contain the text. */
export function useNamespaces(contains = ''): KnownNamespaces {
  const [known, setKnown] = useState<Omit<KnownNamespaces, 'reload'>>({ ...nothing, error: undefined });
  const wanted = useRef(0);
  const reload = useCallback(async () => {
    const own = ++wanted.current;
    const told = await node.namespaces(contains).then(
      (answer) => ({ ...answer, error: undefined }),
      (error: unknown) => ({ ...nothing, error }),
    );
    if (own === wanted.current) setKnown(told);
  }, [contains]);
  useEffect(() => void reload(), [reload]);
  return { ...known, reload };
}

/**
 * The one of a title or id, whether it is among those that are listed or not. Unset until it is told, and where it is not
 * found: why not, its keys say.
 */
export function useNamespace(name: string | undefined) {
  const [info, setInfo] = useState<NamespaceInfo>();
  useEffect(() => {
    let isWanted = true;
    setInfo(undefined);
    if (name !== undefined)
      node.namespace(name).then(
        (found) => isWanted && setInfo(found),
        () => {},
      );
    return () => {
      isWanted = false;
    };
  }, [name]);
  return { info, setInfo };
}

/** Namespaces from which on they are searched. */
const searchedMin = 12;

interface NamespacesProps {
  readonly known: KnownNamespaces;
  readonly chosen: string | undefined;
  readonly search: { readonly text: string; readonly set: (text: string) => void };
}

/** The list of namespaces, with what may be done to them. */
export function Namespaces({ known, chosen, search }: NamespacesProps) {
  const { namespaces, total, error, reload } = known;
  return (
    <nav class="card namespaces" aria-label="Namespaces">
      <h2>Namespaces</h2>
      <Trouble error={error} />
      {search.text === '' && total <= searchedMin ? null : (
        <label>
          Titles that contain
          <input type="search" value={search.text} onInput={(event) => search.set(event.currentTarget.value)} />
        </label>
      )}
      {namespaces === undefined ? null : <HowMany listed={namespaces.length} total={total} />}
      <ul>
        {namespaces?.map(({ id, title }) => (
          <li key={id}>
            <a href={dataAddress({ namespace: id })} aria-current={id === chosen ? 'page' : undefined}>
              {title}
            </a>
          </li>
        ))}
      </ul>
      <NewNamespace reload={reload} />
    </nav>
  );
}

function HowMany({ listed, total }: { readonly listed: number; readonly total: number }) {
  if (total === 0) {
    return <p class="note">None that you may use. A token sees the namespaces of its own scope alone.</p>;
  }
  if (total === listed) return null;
  return <p class="note">{`The first ${listed} of ${total.toLocaleString('en')}.`}</p>;
}

function NewNamespace({ reload }: Pick<KnownNamespaces, 'reload'>) {
  const [error, setError] = useState<unknown>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    try {
      const { id } = await node.create(String(new FormData(form).get('title')));
      form.reset();
      setError(undefined);
      await reload();
      location.hash = dataAddress({ namespace: id });
    } catch (thrown) {
      setError(thrown);
    }
  };
  return (
    <form onSubmit={submit} class="new">
      <label>
        New namespace
        <input name="title" required autocomplete="off" spellcheck={false} maxLength={512} />
      </label>
      <button type="submit">Create</button>
      <Trouble error={error} />
    </form>
  );
}

interface Chosen extends Pick<KnownNamespaces, 'reload'> {
  readonly namespace: NamespaceInfo;
  readonly renamed: (namespace: NamespaceInfo) => void;
}

/** Renames or deletes the namespace that is looked at. */
export function NamespaceActions(chosen: Chosen) {
  const [asked, setAsked] = useState<'rename' | 'delete'>();
  const close = () => setAsked(undefined);
  return (
    <div class="actions">
      <button type="button" onClick={() => setAsked('rename')}>
        Rename…
      </button>
      <button type="button" class="danger" onClick={() => setAsked('delete')}>
        Delete namespace…
      </button>
      {asked === 'rename' ? <Rename {...chosen} close={close} /> : null}
      {asked === 'delete' ? <Remove {...chosen} close={close} /> : null}
    </div>
  );
}

function Rename({ namespace: { id, title }, renamed, reload, close }: Chosen & { readonly close: () => void }) {
  const run = async (name: string) => {
    renamed(await node.rename(id, name));
    await reload();
  };
  return (
    <Ask title={`Rename ${title}`} verb="Rename" field={{ label: 'New title', value: title }} {...{ run, close }} />
  );
}

function Remove({ namespace: { id, title }, reload, close }: Chosen & { readonly close: () => void }) {
  const run = async () => {
    await node.remove(id);
    await reload();
    location.hash = '#/data';
  };
  const field = { label: 'Type its title to go on', value: '', mustBe: title };
  return <Ask title={`Delete ${title} with all its keys?`} verb="Delete for good" {...{ field, run, close }} />;
}
