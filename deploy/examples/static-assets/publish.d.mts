import type { Namespace } from 'meridian';

export function typeOf(path: string): string;
export function publish(
  folder: string,
  namespace: Pick<Namespace, 'keys' | 'put' | 'delete'>,
): Promise<{ readonly written: number; readonly deleted: number }>;
