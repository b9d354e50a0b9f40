/** Sets an entry, as the latest. Of more than `entriesMax` the one that was set longest ago is forgotten. */
export function rememberLatest<K, V>(map: Map<K, V>, key: K, value: V, entriesMax: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= entriesMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
