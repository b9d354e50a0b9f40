/*
 * Why a connection failed, in words that say what to look at. The library tells what OpenSSL and the system say, such as
 * `write EPROTO 0010:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number`: it names no file, no
 * option and no side. "It" is the node that is called.
 */

const causes: ReadonlyArray<readonly [RegExp, string]> = [
  // Before the others: a node that refuses this side's certificate says so in an alert, by a word that may mean ours too.
  [
    /certificate required|peer did not return a certificate|alert number 116/i,
    'it asks for a certificate of this side (--tls-cert and --tls-key)',
  ],
  [
    /alert (unknown ca|bad certificate|certificate unknown)|alert number (42|46|48)/i,
    'it does not trust the certificate of this side: its --tls-client-ca must have issued what --tls-cert holds',
  ],
  [
    /alert certificate expired|alert number 45/i,
    'the certificate of this side has expired: renew what --tls-cert holds',
  ],
  [/alert handshake failure|alert number 40|no shared cipher/i, 'both sides have no way to encrypt in common'],
  [/alert protocol version|alert number 70|unsupported protocol/i, 'both sides have no version of TLS in common'],
  [
    /certificate has expired|CERT_HAS_EXPIRED/i,
    'its certificate, or its CA, has expired: renew what its --tls-cert or this side’s --tls-ca holds',
  ],
  [
    /certificate is not yet valid|CERT_NOT_YET_VALID/i,
    'its certificate is not valid yet: is the clock of this machine right?',
  ],
  [
    /does not match certificate's altnames|ERR_TLS_CERT_ALTNAME_INVALID/i,
    'its certificate is for other names than the one it was called by: it needs one with this name or address (meridian ca issue --host)',
  ],
  [
    /certificate verify failed|unable to verify|unable to get (local )?issuer|self[- ]signed certificate/i,
    'its certificate is of no CA that is trusted here: --tls-ca must hold the CA that issued it',
  ],
  [
    /wrong version number|packet length too long|http request/i,
    'it speaks no TLS at that port: leave --tls and --tls-ca away, or give it a --tls-cert',
  ],
  // Of TLS 1.3, a node refuses a certificate when the connection is made already, and the library does not say why it ended.
  [
    /^Failed to connect \(/,
    'it ended the connection as soon as it was made: it may speak TLS alone (--tls), or refuse the certificate of this side (its --tls-client-ca must have issued what --tls-cert holds, and that must not have expired)',
  ],
];

/** Where OpenSSL says something else, its last words are the ones that say something. */
const openSsl = /(?:^|\s|:)error:[0-9A-F]{8}:[^:]*:[^:]*:([^:\n]+)/i;

export function transportCause(said: string): string {
  const known = causes.find(([pattern]) => pattern.test(said));
  if (known !== undefined) return known[1];
  const [, words] = openSsl.exec(said) ?? [];
  return words === undefined ? said : `TLS failed: ${words.trim()}`;
}

/** The same without the address or name that was called: whoever asks an edge need not know what stands behind it. */
export function withoutPlaces(cause: string): string {
  return cause
    .replace(/^Name resolution failed for target .*$/s, 'its name is not known')
    .replace(/\b(connect|read|write) (E[A-Z]+)\b.*$/s, '$1 $2')
    .replace(/\bgetaddrinfo (E[A-Z_]+)\b.*$/s, 'getaddrinfo $1');
}
