import { type NamespaceId, registryNamespace } from '../../model/namespace.ts';
import type { Scope } from '../scope.ts';

interface AuditedRange {
  readonly namespace: NamespaceId;
  readonly prefix: string;
}

/** What a scope holds whole, namespace by namespace; nothing of a cache. The registry has no titles to be asked by. */
export function auditedRanges({ filter, ledger }: Scope): readonly AuditedRange[] {
  return (filter?.includes ?? []).flatMap(({ namespace, prefix }) => {
    if (namespace === registryNamespace) return [];
    if (namespace !== '*') return [{ namespace, prefix }];
    return ledger.registry.namespaces().map(({ id }) => ({ namespace: id, prefix: '' }));
  });
}
