import { useState } from 'preact/hooks';
import { node, Refused, token } from './ask-node.ts';
import { Trouble } from './words.tsx';

/** Asks for a token, and keeps it for as long as this tab is open. */
export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const [error, setError] = useState<unknown>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = String(new FormData(form).get('token')).trim();
    if (!/^[\x21-\x7e]+$/.test(text)) return setError('A token is one line of visible ASCII characters.');
    token.keep(text);
    try {
      await node.namespaces();
      onSignedIn();
    } catch (thrown) {
      // Of a valid token that may not do this, the page says so where it matters.
      if (thrown instanceof Refused && thrown.code === 'PERMISSION_DENIED') return onSignedIn();
      token.forget();
      setError(thrown);
    }
  };
  return (
    <form class="card sign-in" onSubmit={submit}>
      <h1>This node asks for a token</h1>
      <p class="note">
        It is kept until this tab is closed, and sent to this node alone. What you see is what the token permits.
      </p>
      <label>
        Token
        <input type="password" name="token" required autocomplete="off" spellcheck={false} />
      </label>
      <Trouble error={error} />
      <button type="submit" class="main">
        Sign in
      </button>
    </form>
  );
}
