import { type NamespaceId, registryNamespace } from '../../model/namespace.ts';
import type { Scope } from '../scope.ts';

interface AuditedRange {
  readonly namespace: NamespaceId;
  readonly prefix: string;
}

/** The ranges that a scope holds whole; none of a cache. The registry has no title to ask for, so it is left out. */
export function auditedRanges({ filter, ledger }: Scope): readonly AuditedRange[] {
  return (filter?.includes ?? []).flatMap(({ namespace, prefix }) => {
    if (namespace === registryNamespace) return [];
    if (namespace !== '*') return [{ namespace, prefix }];
    return ledger.registry.namespaces().map(({ id }) => ({ namespace: id, prefix: '' }));
  });
}
