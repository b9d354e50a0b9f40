import type { CallerCertificate } from '../model/entrance.ts';
import type { CertificateRights } from '../model/token.ts';

/** The first line that one of the certificate's names matches. */
export function rightsOfCertificate(
  lines: readonly CertificateRights[],
  { names }: Pick<CallerCertificate, 'names'>,
): CertificateRights | undefined {
  return lines.find(({ name: pattern }) => names.some((name) => matchesName(pattern, name)));
}

function matchesName(pattern: string, name: string): boolean {
  const [before = '', after] = pattern.split('*');
  if (after === undefined) return name === pattern;
  const isFramed = name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
  return isFramed && !/[./]/.test(name.slice(before.length, name.length - after.length));
}
