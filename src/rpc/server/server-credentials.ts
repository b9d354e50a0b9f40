import { ServerCredentials } from '@grpc/grpc-js';
import { type RenewedTls, secureContextOf, secureServerOf } from '../../runtime/tls.ts';

/** TLS whose certificates are renewed while connections last: existing connections keep theirs. */
class RenewedCredentials extends ServerCredentials {
  constructor(tls: RenewedTls) {
    super(secureServerOf(tls.current), secureContextOf(tls.current));
    tls.onRenewed((renewed) => this.updateSecureContextOptions(secureContextOf(renewed)));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

export function serverCredentials(tls: RenewedTls | undefined): ServerCredentials {
  return tls === undefined ? ServerCredentials.createInsecure() : new RenewedCredentials(tls);
}
