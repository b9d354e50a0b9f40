import { useEffect, useRef, useState } from 'preact/hooks';
import type { Place } from '../address.ts';
import { Keys } from './keys.tsx';
import { NamespaceActions, Namespaces, useNamespace, useNamespaces } from './namespaces.tsx';
import { OneRecord } from './record.tsx';
import { useSettled } from './settled.ts';

/** Namespaces, the keys of one, and one key. */
export function Browse({
  place: { namespace, prefix = '', key },
}: {
  readonly place: Extract<Place, { kind: 'data' }>;
}) {
  const [text, set] = useState('');
  const known = useNamespaces(useSettled(text));
  const [round, setRound] = useState(0);
  const onWritten = () => setRound((before) => before + 1);
  const lastKey = useRef(key);
  useEffect(() => {
    // The link back is gone together with the key.
    if (key === undefined && lastKey.current !== undefined) document.getElementById('keys')?.focus();
    lastKey.current = key;
  }, [key]);
  const chosen = useNamespace(namespace);
  return (
    <div class={`browse ${key === undefined ? '' : 'with-record'}`}>
      <Namespaces known={known} chosen={chosen.info?.id ?? namespace} search={{ text, set }} />
      <div class="of-namespace">
        {namespace === undefined ? (
          <p class="note card">Choose a namespace to see its keys.</p>
        ) : (
          <Keys {...{ namespace, prefix, round }} chosen={key} />
        )}
        {chosen.info === undefined ? null : (
          <NamespaceActions namespace={chosen.info} renamed={chosen.setInfo} reload={known.reload} />
        )}
      </div>
      {namespace === undefined || key === undefined ? null : (
        <OneRecord named={{ namespace, key }} prefix={prefix} onWritten={onWritten} />
      )}
    </div>
  );
}
