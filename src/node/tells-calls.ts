import type { TokenSource } from '../access/grant.ts';
import type { CallCounts } from '../metrics/read-write-metrics.ts';
import type { Upstream } from '../model/upstream.ts';

/** The node, whose status also tells how many reads and writes it has had: what counts them stands beside it. */
export function tellsCalls<N extends Upstream & TokenSource>(
  node: N,
  counts: () => CallCounts,
): Upstream & TokenSource {
  const methods = new Map<string, unknown>();
  for (const [name, method] of methodsOf(node)) methods.set(name, method.bind(node));
  const status: Upstream['status'] = async (call) => ({ ...(await node.status(call)), ...counts() });
  return { ...(Object.fromEntries(methods) as unknown as Upstream & TokenSource), status };
}

type Method = (...given: unknown[]) => unknown;

/** Its own and those of its classes, the nearest of a name last. */
function methodsOf(node: object): Array<readonly [string, Method]> {
  const before = Object.getPrototypeOf(node);
  if (before === null) return [];
  const own = Object.entries(Object.getOwnPropertyDescriptors(node)).flatMap(([name, { value }]) => {
    return typeof value === 'function' && name !== 'constructor' ? [[name, value as Method] as const] : [];
  });
  return [...methodsOf(before), ...own];
}
