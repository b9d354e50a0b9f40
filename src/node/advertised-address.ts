import type { Address } from '../config/option.ts';
import { formatAddress } from '../config/parse-address.ts';

/** Where other nodes reach this one: as told, or where it listens, unless that is every address or any port. */
export function advertisedAddress({
  advertise,
  listen,
}: {
  readonly advertise?: Address | undefined;
  readonly listen: Address;
}): { readonly address?: string } {
  if (advertise !== undefined) return { address: formatAddress(advertise) };
  const everywhere = listen.host === '0.0.0.0' || listen.host === '::';
  return everywhere || listen.port === 0 ? {} : { address: formatAddress(listen) };
}
