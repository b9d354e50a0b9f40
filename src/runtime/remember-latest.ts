/**
 * Sets an entry, as the latest. Of more than `entriesMax` those are forgotten that were set longest ago: a sixteenth at once,
 * since whoever asks a Map for its first passes all that went before it.
 */
export function rememberLatest<K, V>(map: Map<K, V>, key: K, value: V, entriesMax: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= entriesMax) return;
  const left = Math.ceil((entriesMax * 15) / 16);
  for (const oldest of map.keys()) {
    if (map.size <= left) return;
    map.delete(oldest);
  }
}
