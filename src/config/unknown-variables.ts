import { variableOf } from './option.ts';
import { options } from './options.ts';

/** Variables beside those of the options: the file of options, and the network in which compose builds the image. */
const others = ['MERIDIAN_CONFIG', 'MERIDIAN_BUILD_NETWORK'];

/** What Kubernetes sets in every container for a service that is called meridian, or meridian-something. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Names that begin as Meridian's variables do and that no option of any command knows: misspelt, most likely. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = new Set([...others, ...Object.values(options).map(variableOf)]);
  return Object.keys(environment)
    .filter((name) => name.startsWith('MERIDIAN_') && !known.has(name) && !serviceLink.test(name))
    .sort();
}
