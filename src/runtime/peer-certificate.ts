import type { PeerCertificate as NodeCertificate } from 'node:tls';
import { TLSSocket } from 'node:tls';

/** What a certificate says of whoever presented it, and proved to have its key. */
export interface PeerCertificate {
  /** The common names of its subject, and its alternative names that are host names or URIs. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly validToMs: number;
}

/** The certificate of the other side, where the listener asked for one and its CA vouches for it. */
export function peerCertificateOf(socket: unknown): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  return understoodCertificate(socket.getPeerCertificate());
}

/** As Node.js takes a certificate apart. It is empty where there is none. */
export function understoodCertificate(
  certificate: Partial<Pick<NodeCertificate, 'subject' | 'subjectaltname' | 'valid_to'>> | undefined,
): PeerCertificate | undefined {
  const validToMs = Date.parse(certificate?.valid_to ?? '');
  if (certificate === undefined || Number.isNaN(validToMs)) return undefined;
  // A subject may have several, then Node.js gives a list.
  const commonNames: string | readonly string[] | undefined = certificate.subject?.CN;
  const names = [commonNames ?? [], alternativeNames(certificate.subjectaltname ?? '')].flat();
  return { names: [...new Set(names)], validToMs };
}

/**
 * `DNS:a.example.org, IP Address:10.0.0.1, URI:"spiffe://a\, b"`: one with anything special in it stands in quotes, as
 * JSON. From the first that is of another form on, nothing is believed.
 */
function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  const one = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  for (let found = one.exec(text); found !== null && found[0] !== ''; found = one.exec(text)) {
    const [, kind, value = ''] = found;
    if (kind !== 'DNS' && kind !== 'URI') continue;
    const name = value.startsWith('"') ? textOf(value) : value;
    if (name === undefined) break;
    names.push(name);
  }
  return names;
}

function textOf(quoted: string): string | undefined {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return undefined;
  }
}
