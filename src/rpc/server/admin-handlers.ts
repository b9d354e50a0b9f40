import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { DigestRequest, RemoveMemberRequest } from '../../model/cluster.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Peer, Upstream } from '../../model/upstream.ts';
import {
  decodeReportRequest,
  encodeChange,
  encodeDigest,
  encodeMember,
  encodeReport,
  encodeStatus,
  type WireReportRequest,
} from '../codec/cluster-codec.ts';
import { decodeRangeRequest, encodeRangeDigest, type WireRangeRequest } from '../codec/range-digest-codec.ts';
import { decodeSession, type WireSession } from '../codec/record-codec.ts';
import type { Timing } from './call-of.ts';
import { type NamespacesPage, namespacesPage } from './namespaces-page.ts';
import { unary } from './unary.ts';

interface Named {
  readonly name: string;
}

interface Titled {
  readonly title: string;
}

export function namespaceHandlers(upstream: Upstream, timing: Timing): UntypedServiceImplementation {
  return {
    Create: unary(timing, async ({ title }: Titled, call) => encodeChange(await upstream.create(title, call))),
    Get: unary(timing, ({ name, session = null }: Named & { readonly session?: WireSession | null }, call) =>
      upstream.find(name, call, decodeSession(session)),
    ),
    List: unary(timing, async (page: NamespacesPage, call) => namespacesPage(await upstream.namespaces(call), page)),
    Rename: unary(timing, async ({ name, title }: Named & Titled, call) =>
      encodeChange(await upstream.rename(name, title, call)),
    ),
    Delete: unary(timing, async ({ name }: Named, call) => encodeChange(await upstream.remove(name, call))),
    MoveHome: unary(timing, async ({ name, origin }: Named & { readonly origin: string }, call) =>
      encodeChange(await upstream.moveHome(name, origin, call)),
    ),
  };
}

export function clusterHandlers(upstream: Upstream | Peer, timing: Timing): UntypedServiceImplementation {
  return {
    Status: unary(timing, async (_: unknown, call) => encodeStatus(await upstream.status(call))),
    Members: unary(timing, async (_: unknown, call) => {
      const members = await upstream.members(call);
      return { members: members.map(encodeMember) };
    }),
    Digest: unary(timing, async (request: DigestRequest, call) => {
      const digests = await upstream.digest(request, call);
      return { digests: digests.map(encodeDigest) };
    }),
    DigestRange: unary(timing, async (request: WireRangeRequest, call) =>
      encodeRangeDigest(await upstream.digestRange(decodeRangeRequest(request), call)),
    ),
    RemoveMember: unary(timing, (request: RemoveMemberRequest, call) => upstream.removeMember(request, call)),
    Report: unary(timing, async (wire: WireReportRequest, call) => {
      if (!('report' in upstream)) throw notAnOrigin();
      return encodeReport(await upstream.report(decodeReportRequest(wire), call));
    }),
  };
}

function notAnOrigin(): MeridianError {
  return new MeridianError('UNIMPLEMENTED', 'this node is no origin: it has nothing to report', {
    reason: 'no-origin',
  });
}
