import { expect, test } from 'vitest';
import { transportCause, withoutPlaces } from '../../src/rpc/transport-cause.ts';

test.each([
  [
    '00E8:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:ssl/x.c:2:',
    '--tls-ca',
  ],
  [
    'write EPROTO 0010:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../x.c:354:',
    'no TLS at that port',
  ],
  [
    'error:0A000415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:x.c:1605:SSL alert number 45',
    'of this side has expired',
  ],
  ['error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:x.c:1605:SSL alert number 48', 'does not trust'],
  ["Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ", 'for other names'],
  ['certificate has expired', 'has expired'],
  ['error:0A0000C7:SSL routines::some thing new:x.c:1:', 'TLS failed: some thing new'],
])('what OpenSSL says is told in plain words: %s', (said, words) => {
  const cause = transportCause(said);
  expect(cause).toContain(words);
  expect(cause).not.toMatch(/error:|routines|alert|10\.0\.0\.1/);
});

test.each([
  ['connect ECONNREFUSED 10.0.0.1:7100', 'connect ECONNREFUSED'],
  ['connect ECONNREFUSED ::1:7100 - Local (:::0)', 'connect ECONNREFUSED'],
  ['Name resolution failed for target dns:origin.internal:7100', 'its name is not known'],
  ['Connection dropped', 'Connection dropped'],
])('what is told to others names no place: %s', (cause, told) => {
  expect(transportCause(cause)).toBe(cause);
  expect(withoutPlaces(cause)).toBe(told);
});
