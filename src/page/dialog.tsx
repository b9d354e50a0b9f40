import { useEffect, useRef, useState } from 'preact/hooks';
import { Trouble } from './words.tsx';

interface AskProps {
  readonly title: string;
  /** What the button does. */
  readonly verb: string;
  readonly field?: { readonly label: string; readonly value: string; readonly mustBe?: string };
  /** Given the field's text. What it throws is shown, and the question stays. */
  readonly run: (text: string) => Promise<void>;
  readonly close: () => void;
}

/** A question before something that cannot be undone. The browser keeps the focus in it, and gives it back behind it. */
export function Ask({ title, verb, field, run, close }: AskProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>();
  const [text, setText] = useState(field?.value ?? '');
  useEffect(() => dialog.current?.showModal(), []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      await run(text);
      dialog.current?.close();
    } catch (thrown) {
      setError(thrown);
    }
  };
  const isOpen = field?.mustBe === undefined || field.mustBe === text;
  return (
    <dialog ref={dialog} aria-label={title} onClose={close}>
      <form onSubmit={submit}>
        <h2>{title}</h2>
        {field === undefined ? null : (
          <label>
            {field.label}
            <input value={text} onInput={(event) => setText(event.currentTarget.value)} autocomplete="off" />
          </label>
        )}
        <Trouble error={error} />
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={!isOpen}>
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
