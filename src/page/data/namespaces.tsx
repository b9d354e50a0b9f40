import { useCallback, useEffect, useState } from 'preact/hooks';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { dataAddress } from '../address.ts';
import { node } from '../ask-node.ts';
import { Ask } from '../dialog.tsx';
import { Trouble } from '../words.tsx';

export interface KnownNamespaces {
  /** Unset until they are told. */
  readonly namespaces: readonly NamespaceInfo[] | undefined;
  readonly error: unknown;
  readonly reload: () => Promise<void>;
}

/** Those that the caller may use. */
export function useNamespaces(): KnownNamespaces {
  const [known, setKnown] = useState<Omit<KnownNamespaces, 'reload'>>({ namespaces: undefined, error: undefined });
  const reload = useCallback(async () => {
    try {
      const { namespaces } = await node.namespaces();
      const byTitle = [...namespaces].sort((a, b) => (a.title < b.title ? -1 : 1));
      setKnown({ namespaces: byTitle, error: undefined });
    } catch (error) {
      setKnown({ namespaces: undefined, error });
    }
  }, []);
  useEffect(() => void reload(), [reload]);
  return { ...known, reload };
}

/** The list of namespaces, with what may be done to them. */
export function Namespaces({
  known,
  chosen,
}: {
  readonly known: KnownNamespaces;
  readonly chosen: string | undefined;
}) {
  const { namespaces, error, reload } = known;
  return (
    <nav class="card namespaces" aria-label="Namespaces">
      <h2>Namespaces</h2>
      <Trouble error={error} />
      {namespaces?.length === 0 ? (
        <p class="note">None that you may use. A token sees the namespaces of its own scope alone.</p>
      ) : null}
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

type Chosen = { readonly namespace: NamespaceInfo } & Pick<KnownNamespaces, 'reload'>;

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

function Rename({ namespace: { id, title }, reload, close }: Chosen & { readonly close: () => void }) {
  const run = async (name: string) => {
    await node.rename(id, name);
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
