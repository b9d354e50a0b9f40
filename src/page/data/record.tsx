import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RecordJson } from '../../http/page/page-json.ts';
import { limits } from '../../model/limits.ts';
import { dataAddress } from '../address.ts';
import { type NamedKey, node, type ReadRecord } from '../ask-node.ts';
import { Boundary } from '../boundary.tsx';
import { Ask } from '../dialog.tsx';
import { boundText, bytesText, Known, Trouble, timeText } from '../words.tsx';
import { Editor } from './editor.tsx';
import { hexOf, kindOf, shownText, type TextKind } from './value-kind.ts';

/** Bytes of a value that are shown; a larger one can be saved as a file. */
const shownBytesMax = 1024 * 1024;
/** Characters of a text, and bytes of anything else, that are shown. */
const shownCharactersMax = 100_000;
const hexBytesMax = 4096;

interface RecordProps {
  /** An empty key is one that is to be made. */
  readonly named: NamedKey;
  readonly prefix: string;
  /** Something was written or deleted. */
  readonly onWritten: () => void;
}

/** One key: its value as what it is, all that is known of it, and what can be done to it. */
export function OneRecord({ named, prefix, onWritten }: RecordProps) {
  const { namespace, key } = named;
  const { read, error, load } = useRecord(named);
  const [mode, setMode] = useState<'look' | 'edit' | 'delete'>('look');
  useEffect(() => setMode('look'), [namespace, key]);
  const heading = useHeadingFocus(named, mode);
  const look = () => setMode('look');
  const written = () => {
    look();
    onWritten();
    void load();
  };
  const remove = async () => {
    await node.delete(named, read?.record.found ? read.record.version : undefined);
    written();
  };
  const title = key === '' ? 'New key' : key;
  return (
    <section class="card record" aria-label={title}>
      <a class="back" href={dataAddress({ namespace, prefix })}>
        ← Keys
      </a>
      <h2 class="key" ref={heading} tabIndex={-1}>
        {title}
      </h2>
      <Trouble error={error} />
      {key === '' || mode === 'edit' ? (
        <Editor key={key} {...{ named, read }} onWritten={key === '' ? onWritten : written} onCancel={look} />
      ) : null}
      {read === undefined || mode === 'edit' ? null : (
        <Looked read={read} named={named} onEdit={() => setMode('edit')} onDelete={() => setMode('delete')} />
      )}
      {mode === 'delete' ? <Ask title={`Delete ${key}?`} verb="Delete" run={remove} close={look} /> : null}
    </section>
  );
}

/**
 * Whoever goes by keyboard goes on at the heading once a key is opened, and where the button that he pressed is gone. A
 * form takes the focus to itself.
 */
function useHeadingFocus({ namespace, key }: NamedKey, mode: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (key !== '') heading.current?.focus();
  }, [namespace, key]);
  useEffect(() => {
    if (mode === 'look' && document.activeElement === document.body) heading.current?.focus();
  }, [mode]);
  return heading;
}

/** The record as it was when it was loaded; of a key that is to be made there is none. */
function useRecord({ namespace, key }: NamedKey) {
  const [answer, setAnswer] = useState<{ readonly read?: ReadRecord; readonly error?: unknown }>({});
  const wanted = useRef(0);
  const load = useCallback(async () => {
    const own = ++wanted.current;
    setAnswer({});
    if (key === '') return;
    const loaded = await node.record({ namespace, key }, shownBytesMax).then(
      (read) => ({ read }),
      (error: unknown) => ({ error }),
    );
    if (own === wanted.current) setAnswer(loaded);
  }, [namespace, key]);
  useEffect(() => void load(), [load]);
  return { read: answer.read, error: answer.error, load };
}

function Looked({
  read,
  named,
  onEdit,
  onDelete,
}: {
  readonly read: ReadRecord;
  readonly named: NamedKey;
  readonly onEdit: () => void;
  readonly onDelete: () => void;
}) {
  const { record } = read;
  return (
    <>
      {record.found ? (
        <Boundary key={record.version} what="this value">
          <Value read={read} />
        </Boundary>
      ) : (
        <p class="note">{absence(record)}</p>
      )}
      <div class="actions">
        <button type="button" class="main" onClick={onEdit}>
          {record.found ? 'Edit' : 'Write it'}
        </button>
        {record.found ? <Save named={named} /> : null}
        {record.found ? (
          <button type="button" class="danger" onClick={onDelete}>
            Delete…
          </button>
        ) : null}
      </div>
      <Facts record={record} />
    </>
  );
}

function absence({ version }: RecordJson): string {
  return version === undefined
    ? 'This key is not there, and no write of it is known.'
    : 'This key was deleted, or has expired.';
}

function Value({ read: { record, value } }: { readonly read: ReadRecord }) {
  const found = useMemo(() => kindOf(value), [value]);
  if (record.omitted) {
    return (
      <p class="note">
        The value has {bytesText(record.valueBytes)}, too much to show. Save it as a file to look at it.
      </p>
    );
  }
  if (value.length === 0) return <p class="note">The value is empty.</p>;
  if (found.kind === 'image') return <Picture value={value} type={found.type} />;
  if (found.kind === 'bytes')
    return <Text label="Value, as bytes" text={hexOf(value, hexBytesMax)} isCut={value.length > hexBytesMax} />;
  return <TextValue found={found} />;
}

function TextValue({ found }: { readonly found: TextKind }) {
  const text = useMemo(() => shownText(found), [found]);
  const label = found.kind === 'json' ? 'Value, as JSON' : 'Value, as text';
  return <Text label={label} text={text.slice(0, shownCharactersMax)} isCut={text.length > shownCharactersMax} />;
}

function Text({ label, text, isCut }: { readonly label: string; readonly text: string; readonly isCut: boolean }) {
  return (
    <>
      <section class="value" aria-label={label} tabIndex={0}>
        <pre>{text}</pre>
      </section>
      {isCut ? <p class="note">Only the beginning is shown. Save the value as a file to see all of it.</p> : null}
    </>
  );
}

/** Drawn by the browser from an address that only this page knows; an image runs nothing. */
function Picture({ value, type }: { readonly value: Uint8Array<ArrayBuffer>; readonly type: string }) {
  const [address, setAddress] = useState<string>();
  const [isBroken, setBroken] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([value], { type }));
    setAddress(made);
    setBroken(false);
    return () => URL.revokeObjectURL(made);
  }, [value]);
  if (isBroken)
    return <Text label="Value, as bytes" text={hexOf(value, hexBytesMax)} isCut={value.length > hexBytesMax} />;
  return <img class="picture" src={address} alt={`The value, an ${type}`} onError={() => setBroken(true)} />;
}

function Save({ named }: { readonly named: NamedKey }) {
  const [error, setError] = useState<unknown>();
  const link = useRef<HTMLAnchorElement>(null);
  const save = async () => {
    try {
      const { value } = await node.record(named, limits.valueBytesMax);
      const address = URL.createObjectURL(new Blob([value], { type: 'application/octet-stream' }));
      if (link.current !== null) link.current.href = address;
      link.current?.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      setError(undefined);
    } catch (thrown) {
      setError(thrown);
    }
  };
  return (
    <>
      <button type="button" onClick={save}>
        Save as a file
      </button>
      {/* biome-ignore lint/a11y/useAnchorContent: only a way to save; the button before it is what people use. */}
      <a ref={link} download={fileNameOf(named.key)} hidden aria-hidden="true" tabIndex={-1} href="#/data" />
      <Trouble error={error} />
    </>
  );
}

function fileNameOf(key: string): string {
  return (
    key
      .split('/')
      .at(-1)
      ?.replace(/[^\w.-]+/g, '_') || 'value'
  );
}

/** Facts that people copy. */
const codes = new Set(['Version', 'Position', 'Metadata']);

function Facts({ record }: { readonly record: RecordJson }) {
  const { source, responder, boundMs, position } = record;
  const age = source === 'origin' ? 'the present' : boundText(boundMs);
  const facts: ReadonlyArray<readonly [string, string]> = [
    ['Version', record.version ?? 'none known'],
    ['Position', position === undefined ? 'none known' : `${position.log}:${position.sequence}`],
    ['Size', record.found ? bytesText(record.valueBytes) : 'no value'],
    ['Expires', timeText(record.expiresAt)],
    ['Metadata', record.metadata ?? 'none'],
    ['From', `${source} at ${responder}`],
    ['Staleness', age],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={codes.has(name) ? 'key' : undefined}>
            <Known text={text} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
