import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { DigestRequest, DrainProgress, DrainRequest, RemoveMemberRequest } from '../../model/cluster.ts';
import { MeridianError } from '../../model/errors.ts';
import type { RotateTokenRequest } from '../../model/token.ts';
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
import {
  decodeCreateToken,
  encodeIssued,
  encodeToken,
  tokensPage,
  type WireCreateToken,
} from '../codec/token-codec.ts';
import type { Served, Timing } from './call-of.ts';
import { type NamespacesPage, namespacesPage } from './namespaces-page.ts';
import { unary } from './unary.ts';

interface Named {
  readonly name: string;
}

interface Titled {
  readonly title: string;
}

export function namespaceHandlers(timing: Timing): UntypedServiceImplementation {
  return {
    Create: unary(timing, async ({ title }: Titled, call, upstream) =>
      encodeChange(await upstream.create(title, call)),
    ),
    Get: unary(timing, ({ name, session = null }: Named & { readonly session?: WireSession | null }, call, upstream) =>
      upstream.find(name, call, decodeSession(session)),
    ),
    List: unary(timing, async (page: NamespacesPage, call, upstream) =>
      namespacesPage(await upstream.namespaces(call), page),
    ),
    Rename: unary(timing, async ({ name, title }: Named & Titled, call, upstream) =>
      encodeChange(await upstream.rename(name, title, call)),
    ),
    Delete: unary(timing, async ({ name }: Named, call, upstream) => encodeChange(await upstream.remove(name, call))),
    MoveHome: unary(timing, async ({ name, origin }: Named & { readonly origin: string }, call, upstream) =>
      encodeChange(await upstream.moveHome(name, origin, call)),
    ),
  };
}

/** Asks the node to take no new traffic, if the caller may. */
export type Drain = (served: Served, request: DrainRequest) => Promise<DrainProgress>;

export function clusterHandlers(timing: Timing, drain: Drain): UntypedServiceImplementation {
  return {
    Status: unary(timing, async (_: unknown, call, upstream) => encodeStatus(await upstream.status(call))),
    Members: unary(timing, async (_: unknown, call, upstream) => {
      const members = await upstream.members(call);
      return { members: members.map(encodeMember) };
    }),
    Digest: unary(timing, async (request: DigestRequest, call, upstream) => {
      const digests = await upstream.digest(request, call);
      return { digests: digests.map(encodeDigest) };
    }),
    DigestRange: unary(timing, async (request: WireRangeRequest, call, upstream) =>
      encodeRangeDigest(await upstream.digestRange(decodeRangeRequest(request), call)),
    ),
    RemoveMember: unary(timing, (request: RemoveMemberRequest, call, upstream) => upstream.removeMember(request, call)),
    Report: unary(timing, async (wire: WireReportRequest, call, upstream) => {
      return encodeReport(await peerOf(upstream).report(decodeReportRequest(wire), call));
    }),
    Drain: unary(timing, (request: DrainRequest, _call, _upstream, served) => drain(served, request)),
  };
}

export function tokenHandlers(timing: Timing): UntypedServiceImplementation {
  return {
    Create: unary(timing, async (wire: WireCreateToken, call, upstream) =>
      encodeIssued(await upstream.createToken(decodeCreateToken(wire), call)),
    ),
    List: unary(timing, async ({ cursor }: { readonly cursor: string }, call, upstream) =>
      tokensPage(await upstream.tokens(call), cursor),
    ),
    Rotate: unary(timing, async (request: RotateTokenRequest, call, upstream) =>
      encodeIssued(await upstream.rotateToken(request, call)),
    ),
    Revoke: unary(timing, async ({ name }: Named, call, upstream) => {
      const revoked = await upstream.revokeToken(name, call);
      return { revoked: revoked.map(encodeToken) };
    }),
  };
}

function peerOf(upstream: Upstream | Peer): Peer {
  if ('report' in upstream) return upstream;
  throw new MeridianError('UNIMPLEMENTED', 'this node is no origin: it has nothing to report', {
    reason: 'no-origin',
  });
}
