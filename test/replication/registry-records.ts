import type { NamespaceId } from '../../src/model/namespace.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId, MemberId, Position } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { makeStamp, type Stamp } from '../../src/model/stamp.ts';
import { logKeys, type Removal } from '../../src/replication/logs.ts';
import { memberKeys } from '../../src/replication/members.ts';
import { registryKeys } from '../../src/replication/registry.ts';

/** Ids that read like what they are: `log(1)` is `0…01`. */
export const log = (n: number): LogId => n.toString(16).padStart(16, '0') as LogId;
export const member = (n: number): MemberId => `${'e'.repeat(8)}${n.toString(16).padStart(8, '0')}` as MemberId;

/** When a log was opened: the later its number, the later. */
export const openedAt = (n: number): Stamp => makeStamp({ wallMs: 1000 + n, counter: 0, log: log(n) });

/** A record of the registry at a position; its stamp rises with `order`. */
export function said(key: string, value: unknown, at: Position, order = at.sequence): LiveRecord {
  return {
    kind: 'live',
    namespace: registryNamespace,
    key,
    stamp: makeStamp({ wallMs: 1_700_000_000_000 + order, counter: 0, log: at.log }),
    position: at,
    value: Buffer.from(JSON.stringify(value)),
  };
}

/** The first record of a log; `of` is the number of its member. */
export function registered(n: number, of: number): LiveRecord {
  return said(logKeys.log(log(n)), { member: member(of), opened: openedAt(n) }, { log: log(n), sequence: 1 });
}

/** Where a log ends, written at a position of another one. */
export function sealed(n: number, of: number, final: number, at: readonly [n: number, sequence: number]): LiveRecord {
  const position = { log: log(at[0]), sequence: at[1] };
  return said(logKeys.log(log(n)), { member: member(of), opened: openedAt(n), final }, position, 1000 + at[1]);
}

/** The member says that it knows all its logs. */
export function current(of: number, n: number, at: readonly [n: number, sequence: number]): LiveRecord {
  return said(logKeys.current(member(of)), { log: log(n) }, { log: log(at[0]), sequence: at[1] });
}

export function removed(of: number, successor: number, at: readonly [n: number, sequence: number]): LiveRecord {
  const decided = { members: [member(successor)], enough: true, reports: 1 };
  const value: Removal = { name: `member ${of}`, successor: member(successor), ...decided };
  return said(logKeys.removed(member(of)), value, { log: log(at[0]), sequence: at[1] });
}

export function registeredMember(of: number, at: readonly [n: number, sequence: number]): LiveRecord {
  const value = { id: member(of), name: `member ${of}`, region: 'r' };
  return said(memberKeys.member(member(of)), value, { log: log(at[0]), sequence: at[1] });
}

export function namespaceRecord(
  id: NamespaceId,
  title: string,
  home: number,
  at: readonly [n: number, sequence: number],
) {
  return said(registryKeys.namespace(id), { title, home: member(home) }, { log: log(at[0]), sequence: at[1] });
}

/** `{ 1: 5 }` is 5 in `log(1)`. */
export function vector(components: Readonly<Record<number, number>>): ReadonlyMap<LogId, number> {
  return new Map(Object.entries(components).map(([n, sequence]) => [log(Number(n)), sequence]));
}
