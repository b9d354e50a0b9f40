import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import type { WriteJson } from '../../http/page/page-json.ts';
import { dataAddress } from '../address.ts';
import { type NamedKey, node, type ReadRecord } from '../ask-node.ts';
import { Trouble } from '../words.tsx';
import { asWritten, base64Of, editableText, isJson, kindOf, type ValueKind } from './value-kind.ts';

/** Characters of a value that are edited here; a longer one is put in from a file. */
const editedCharactersMax = 262_144;

interface EditorProps {
  readonly named: NamedKey;
  /** What is there now; unset of a new key. */
  readonly read: ReadRecord | undefined;
  readonly onWritten: () => void;
  readonly onCancel: () => void;
}

/**
 * Writes one key. It replaces the version that was looked at and no other one: who changed the key meanwhile is not
 * overwritten without a word.
 */
export function Editor(props: EditorProps) {
  const { named, read, onCancel } = props;
  const { error, isBusy, submit } = useWriting(props);
  const before = useMemo(() => kindBefore(read), [read]);
  const isOmitted = read?.record.found === true && read.record.omitted;
  const isNew = named.key === '';
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>('input, textarea')?.focus(), []);
  return (
    <form class="editor" ref={form} onSubmit={submit}>
      {isNew ? (
        <label>
          Key
          <input name="key" required autocomplete="off" spellcheck={false} />
        </label>
      ) : null}
      <ValueFields {...{ before, isOmitted }} />
      <label>
        Metadata, as JSON
        <input name="metadata" defaultValue={read?.record.metadata ?? ''} placeholder="none" spellcheck={false} />
      </label>
      <Expiry expiresAt={read?.record.expiresAt} />
      <Trouble error={error} />
      <div class="actions">
        {isNew ? null : (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        <button type="submit" class="main" aria-disabled={isBusy ? 'true' : undefined}>
          {isBusy ? 'Writing…' : 'Write'}
        </button>
      </div>
    </form>
  );
}

function useWriting({ named, read, onWritten }: EditorProps) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      const write = await writeOf(form, named, read);
      await node.put(write);
      onWritten();
      if (named.key === '') location.hash = dataAddress({ namespace: named.namespace, key: write.key });
    } catch (thrown) {
      setError(thrown);
    }
    setBusy(false);
  };
  return { error, isBusy, submit };
}

/** What a value that can be edited is now; undefined where there is none, or it is too large to be shown. */
function kindBefore(read: ReadRecord | undefined): ValueKind | undefined {
  return read?.record.found && !read.record.omitted ? kindOf(read.value) : undefined;
}

async function writeOf(form: FormData, { namespace, key }: NamedKey, read: ReadRecord | undefined): Promise<WriteJson> {
  const metadata = String(form.get('metadata') ?? '').trim();
  if (metadata !== '' && !isJson(metadata))
    throw new Error('Metadata is JSON, and this is none: a text stands in quotes.');
  return {
    namespace,
    key: key === '' ? String(form.get('key')) : key,
    ...(await valueIn(form, kindBefore(read))),
    ...(metadata === '' ? {} : { metadata }),
    ...expiryOf(form, read?.record.expiresAt),
    ifVersion: read?.record.found ? (read.record.version ?? 'absent') : 'absent',
  };
}

async function valueIn(form: FormData, before: ValueKind | undefined): Promise<Pick<WriteJson, 'text' | 'base64'>> {
  const file = form.get('file');
  // One that is empty is a value too; where none was chosen it has no name.
  if (file instanceof File && file.name !== '') return { base64: await base64Of(file) };
  // A form's own line breaks are two characters.
  const text = String(form.get('text') ?? '').replaceAll('\r\n', '\n');
  if (form.get('text') === null) throw new Error('Choose the file that holds the new value.');
  if (form.has('is-json') && !isJson(text)) throw new Error(`This is no JSON: ${complaintOf(text)}`);
  return { text: before !== undefined && 'text' in before ? asWritten(text, before) : text };
}

function complaintOf(text: string): string {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

function expiryOf(form: FormData, expiresAt: number | undefined): Pick<WriteJson, 'expiresAt' | 'ttl'> {
  const ttl = String(form.get('ttl') ?? '').trim();
  if (form.get('expiry') === 'keep' && expiresAt !== undefined) return { expiresAt };
  if (form.get('expiry') !== 'in') return {};
  if (!/^\d+$/.test(ttl)) throw new Error('Say after how many whole seconds the key expires.');
  return { ttl: Number(ttl) };
}

interface ValueFieldsProps {
  readonly before: ValueKind | undefined;
  /** There is a value, which was too large to be sent: an empty text would take its place. */
  readonly isOmitted: boolean;
}

function ValueFields({ before, isOmitted }: ValueFieldsProps) {
  const id = useId();
  const text = useMemo(() => {
    if (before === undefined) return isOmitted ? undefined : '';
    return 'text' in before ? editableText(before) : undefined;
  }, [before, isOmitted]);
  const isEdited = text !== undefined && text.length <= editedCharactersMax;
  return (
    <>
      {isEdited ? (
        <label for={id}>
          {before?.kind === 'json' ? 'Value, as JSON' : 'Value'}
          <textarea
            id={id}
            name="text"
            rows={Math.min(24, Math.max(4, text.split('\n').length + 1))}
            spellcheck={false}
            defaultValue={text}
          />
        </label>
      ) : null}
      {isEdited ? (
        <label class="check">
          <input type="checkbox" name="is-json" defaultChecked={before?.kind === 'json'} /> Refuse it where it is no
          JSON
        </label>
      ) : null}
      <label>
        {isEdited ? 'Or the value of a file' : 'The new value, of a file'}
        <input type="file" name="file" />
      </label>
    </>
  );
}

function Expiry({ expiresAt }: { readonly expiresAt: number | undefined }) {
  const [kind, setKind] = useState(expiresAt === undefined ? 'never' : 'keep');
  return (
    <div class="row">
      <label>
        Expires
        <select name="expiry" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="never">never</option>
          {expiresAt === undefined ? null : <option value="keep">as it does now</option>}
          <option value="in">after some seconds</option>
        </select>
      </label>
      {kind === 'in' ? (
        <label>
          Seconds
          <input name="ttl" inputMode="numeric" required autocomplete="off" />
        </label>
      ) : null}
    </div>
  );
}
