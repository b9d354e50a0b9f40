import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Namespace } from '../../client/namespace.ts';
import type { Address } from '../../config/option.ts';
import { options } from '../../config/options.ts';
import { formatAddress, parseAddress } from '../../config/parse-address.ts';
import { parseDuration } from '../../config/parse-duration.ts';
import { parseSize } from '../../config/parse-size.ts';
import { isMeridianError } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import { loadAsJson, loadAsText } from '../bench/describe-load.ts';
import { httpTarget } from '../bench/http-target.ts';
import { clientTarget, type LoadTarget } from '../bench/load-target.ts';
import { respTarget } from '../bench/resp-target.ts';
import { benchKey, benchValue, type LoadPlan, runLoad } from '../bench/run-load.ts';
import { readClientTls, readClientToken } from '../client-access.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { printResult } from '../print-result.ts';
import { UsageError } from '../usage-error.ts';

interface BenchWords extends ClientWords {
  readonly namespace: string;
  readonly duration: string;
  readonly concurrency: string;
  readonly reads: string;
  readonly rate: string | undefined;
  readonly 'value-size': string;
  readonly keys: string;
  readonly protocol: string | undefined;
  readonly at: string | undefined;
}

export const benchCommand: Command<BenchWords> = {
  usage: 'bench [namespace]',
  describe: 'Put load on a node and print rates and latency percentiles',
  build: (parser) =>
    withClientOptions(parser)
      .positional('namespace', { type: 'string', default: 'bench', describe: 'Made where it is missing' })
      .options({
        duration: { type: 'string', requiresArg: true, default: '10s', describe: 'How long' },
        concurrency: {
          type: 'string',
          requiresArg: true,
          default: '64',
          describe: 'Calls under way at once, 1 to 4096',
        },
        reads: {
          type: 'string',
          requiresArg: true,
          default: '0.9',
          describe: 'Share of gets, 0 to 1; the rest are puts',
        },
        rate: {
          type: 'string',
          requiresArg: true,
          describe:
            'Calls a second; latency then counts from when a call was due, and calls that get no turn within the duration are counted as missed. Default: as many as will go',
        },
        'value-size': { type: 'string', requiresArg: true, default: '1KiB', describe: 'Bytes of a value' },
        keys: {
          type: 'string',
          requiresArg: true,
          default: '1000',
          describe: 'Different keys, written before it begins',
        },
        protocol: {
          type: 'string',
          requiresArg: true,
          describe:
            'pipeline, unary, http (the REST API) or resp (Redis). Keys are written by gRPC, whatever it is. Default: pipeline',
        },
        at: {
          type: 'string',
          requiresArg: true,
          describe: 'host:port at which the node serves HTTP, or Redis clients, in the clear',
        },
      })
      .example('$0 bench --endpoint 127.0.0.1:7200 --reads 1', 'hot reads at an edge')
      .example('$0 bench --reads 0 --rate 500 --json', '500 puts a second')
      .example('$0 bench --protocol resp --at 127.0.0.1:6379', 'as a Redis client would') as Argv<BenchWords>,
  run: async (words, context) => {
    const plan = planOf(words);
    const { clock, random, terminal } = context;
    const place = await placeOf(words, terminal.environment);
    return withCluster(clientWordsOf(words), context, async (cluster) => {
      const namespace = await prepare(cluster, words.namespace, plan);
      const signal = terminal.stopped;
      const asked = { namespace: words.namespace, connections: plan.concurrency, signal };
      const target = place === undefined ? clientTarget(namespace) : await openTarget(place, cluster, asked);
      try {
        const report = await runLoad(plan, { target, clock, random, signal });
        await printResult(words, terminal, loadAsJson(report), loadAsText(report));
        const failed = report.reads.failures.size + report.writes.failures.size > 0;
        return failed ? exitCodes.failed : exitCodes.done;
      } finally {
        target.close();
      }
    });
  },
};

/** Makes the namespace and writes each key, so that reads find something. */
async function prepare(cluster: ClusterHandle, name: string, plan: LoadPlan): Promise<Namespace> {
  await cluster.namespaces.create(name).catch((error: unknown) => {
    if (!isMeridianError(error, 'ALREADY_EXISTS')) throw error;
  });
  const namespace = cluster.namespace(name);
  const atOnce = Math.max(1, Math.min(500, Math.floor((4 * 1024 * 1024) / plan.valueBytes)));
  for (let first = 0; first < plan.keys; first += atOnce) {
    const count = Math.min(atOnce, plan.keys - first);
    const value = benchValue(plan.valueBytes);
    await namespace.write(
      Array.from({ length: count }, (_, i) => ({ kind: 'put', key: benchKey(first + i), value }) as const),
    );
  }
  return namespace;
}

const others = ['http', 'resp'] as const;

/** Where the node serves another protocol than gRPC, and what is presented there. */
interface Place extends Address {
  readonly protocol: (typeof others)[number];
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

/** What the client's own options do not know of it is left to the target. */
function clientWordsOf(words: BenchWords): BenchWords {
  return otherIn(words) === undefined ? words : { ...words, protocol: undefined };
}

function otherIn({ protocol }: BenchWords): Place['protocol'] | undefined {
  return others.find((other) => other === protocol);
}

/** Undefined where the client puts on the load. @throws UsageError */
async function placeOf(
  words: BenchWords,
  environment: CommandContext['terminal']['environment'],
): Promise<Place | undefined> {
  const { at } = words;
  const known = [...options.protocol.kind.oneOf, ...others];
  if (words.protocol !== undefined && !known.some((name) => name === words.protocol))
    throw new UsageError(`--protocol must be one of ${known.join(', ')}; it is "${words.protocol}"`);
  const protocol = otherIn(words);
  if (protocol === undefined && at !== undefined) throw new UsageError('--at goes with --protocol http or resp');
  if (protocol === undefined) return undefined;
  const address = at === undefined ? undefined : parseAddress(at);
  if (address === undefined) {
    const seen = at === undefined ? 'it is not given' : `it is "${at}"`;
    throw new UsageError(`--protocol ${protocol} needs --at host:port, where the node serves that; ${seen}`);
  }
  const config = await readConfig('client', clientWordsOf(words) as unknown as Words, environment);
  if ((await readClientTls(config)) !== undefined)
    throw new UsageError(`--protocol ${protocol} is in the clear alone, and a certificate or --tls is given`);
  return { protocol, ...address, token: await readClientToken(config), timeoutMs: config.timeoutMs };
}

/** For one namespace, by its title. */
async function openTarget(
  { protocol, ...place }: Place,
  cluster: ClusterHandle,
  { namespace, connections, signal }: { namespace: string; connections: number; signal: AbortSignal },
): Promise<LoadTarget> {
  if (protocol === 'resp') return respTarget({ ...place, address: formatAddress(place), namespace, signal });
  const { id: namespaceId } = await cluster.namespaces.get(namespace);
  return httpTarget({ ...place, namespaceId, connections });
}

function planOf(words: BenchWords): LoadPlan {
  const valueBytes = parseSize(words['value-size']);
  if (valueBytes === undefined || valueBytes > limits.valueBytesMax) {
    throw new UsageError(`--value-size must be a size of at most 25MiB; it is "${words['value-size']}"`);
  }
  const durationMs = parseDuration(words.duration);
  if (durationMs === undefined || durationMs === 0) {
    throw new UsageError(`--duration must be a duration with its unit, such as 10s; it is "${words.duration}"`);
  }
  return {
    durationMs,
    concurrency: numberOf('concurrency', words.concurrency, [1, 4096], true),
    reads: numberOf('reads', words.reads, [0, 1], false),
    ratePerSecond: words.rate === undefined ? undefined : numberOf('rate', words.rate, [0.001, 1e6], false),
    valueBytes,
    keys: numberOf('keys', words.keys, [1, 1e7], true),
  };
}

function numberOf(flag: string, text: string, [least, most]: readonly [number, number], whole: boolean): number {
  const number = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most && (!whole || Number.isInteger(number))) return number;
  throw new UsageError(`--${flag} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}; it is "${text}"`);
}
