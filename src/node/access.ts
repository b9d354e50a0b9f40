import { Gate } from '../access/gate.ts';
import type { TokenSource } from '../access/grant.ts';
import { hashOfToken } from '../access/token-text.ts';
import { type Entrance, openEntrance } from '../model/entrance.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import { type CertificateRights, checkTokenRequest } from '../model/token.ts';
import type { Upstream } from '../model/upstream.ts';
import { AuditFile } from './audit-file.ts';
import type { Closing } from './closing.ts';
import type { Outside } from './outside.ts';
import { WatchedFile } from './watched-file.ts';

export interface AccessConfig {
  readonly adminTokenFile: string | undefined;
  readonly adminToken: string | undefined;
  readonly tokenFile: string | undefined;
  readonly token: string | undefined;
  readonly certificateRights: readonly CertificateRights[];
  /** Of an edge. */
  readonly tokenAgeMaxMs?: number | undefined;
}

export interface AuditConfig {
  readonly name: string;
  readonly auditLog: string | undefined;
  readonly auditWrites: boolean;
}

/** Of a secret that an operator made: 16 characters of 64 kinds are 96 bits. */
const secretCharactersMin = 16;

/** How a node asks its callers who they are, and what it says of itself to those it calls. */
export interface Access {
  /** The node's own token, as it is now. */
  readonly credential: () => string | undefined;
  /** False where whoever comes may do everything. */
  readonly asksForTokens: boolean;
  entranceOf(node: Upstream & TokenSource): Entrance;
}

/**
 * Whether every port asks for a token, or a certificate: of a node that was given any. One that presents its own to others, and asks
 * nobody, would lend it to strangers.
 */
export function asksForTokens({ certificateRights, ...config }: Omit<AccessConfig, 'tokenAgeMaxMs'>): boolean {
  const { adminTokenFile, adminToken, tokenFile, token } = config;
  if (certificateRights.length > 0) return true;
  return [adminTokenFile, adminToken, tokenFile, token].some((given) => given !== undefined);
}

/**
 * Reads the secrets of a node, and follows their files.
 * @throws INVALID_ARGUMENT where a token is too short, or its file cannot be read
 */
export async function openAccess(
  config: AccessConfig & AuditConfig,
  outside: Outside,
  closing: Closing,
): Promise<Access> {
  const { clock } = outside;
  const logger = outside.logger.of('access');
  const secret = async (what: string, path: string | undefined, text: string | undefined) => {
    if (path === undefined) return text === undefined ? () => undefined : always(checkedSecret(what, text));
    if (text !== undefined) throw twice(what);
    const parse = (bytes: Buffer) => checkedSecret(what, bytes.toString());
    const file = await WatchedFile.open({ path, what, parse, clock, logger });
    closing.add(what, async () => file.close());
    return () => file.value;
  };
  const admin = await secret("the administrator's token", config.adminTokenFile, config.adminToken);
  const credential = await secret("the node's token", config.tokenFile, config.token);
  const adminHash = hashOf(admin);
  const audit = openAudit(config, { clock, logger }, closing);
  const asks = asksForTokens(config);
  const { certificateRights: certificates, tokenAgeMaxMs: tokenAgeMsMax } = config;
  for (const rights of certificates) checkCertificate(rights);
  return {
    credential,
    asksForTokens: asks,
    entranceOf: (node) => {
      if (!asks && audit === undefined) return openEntrance(node);
      return new Gate({
        upstream: node,
        source: node,
        clock,
        adminHash,
        asksForTokens: asks,
        certificates,
        tokenAgeMsMax,
        audit,
      });
    },
  };
}

/** @throws INVALID_ARGUMENT */
function checkCertificate({ name, scope }: CertificateRights): void {
  try {
    checkTokenRequest({ name: 'certificate', ...scope });
  } catch (error) {
    throw new MeridianError('INVALID_ARGUMENT', `--certificate-rights of ${name}: ${toMeridianError(error).message}`, {
      reason: 'bad-option',
    });
  }
}

function openAudit(
  { name, auditLog, auditWrites }: AuditConfig,
  { clock, logger }: Pick<Outside, 'clock' | 'logger'>,
  closing: Closing,
): AuditFile | undefined {
  if (auditLog === undefined) return undefined;
  const audit = new AuditFile({ path: auditLog, writes: auditWrites, node: name, clock, logger });
  closing.add('audit log', () => audit.close());
  return audit;
}

/** Hashed once for each text, and not for each caller. */
function hashOf(secret: () => string | undefined): () => string | undefined {
  let known: { readonly text: string; readonly hash: string } | undefined;
  return () => {
    const text = secret();
    if (text === undefined) return undefined;
    if (known?.text !== text) known = { text, hash: hashOfToken(text) };
    return known.hash;
  };
}

function checkedSecret(what: string, text: string): string {
  const secret = text.trim();
  if (secret.length >= secretCharactersMin && /^[\x21-\x7e]+$/.test(secret)) return secret;
  // The text itself stays unsaid.
  const message = `${what} must be at least ${secretCharactersMin} visible ASCII characters in one line; it has ${secret.length}`;
  throw new MeridianError('INVALID_ARGUMENT', message, {
    reason: 'bad-secret',
    limit: secretCharactersMin,
    seen: secret.length,
  });
}

function twice(what: string): MeridianError {
  const message = `${what} is given both as a file and in the environment: which one is meant?`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-secret' });
}

function always<T>(value: T): () => T {
  return () => value;
}
