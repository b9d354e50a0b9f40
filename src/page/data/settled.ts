import { useEffect, useState } from 'preact/hooks';

/** Milliseconds after the last letter before anybody is asked. */
const typingMs = 250;

/** The text once nobody types any more. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), typingMs);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
