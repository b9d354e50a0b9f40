import type { Call } from '../../model/call.ts';
import type { AuditOptions } from './audit-options.ts';

/** The call of one comparison, with all that it waits for. */
export function auditCall({ clock, audit }: AuditOptions, signal: AbortSignal): Call {
  return { deadlineMs: clock.monotonicMs() + audit.patienceMs, signal };
}
