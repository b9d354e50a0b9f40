import { rm } from 'node:fs/promises';
import { PassedOn } from '../../access/passed-on.ts';
import type { DrainProgress, NodeStatus } from '../../model/cluster.ts';
import { RemoteUpstream } from '../../rpc/client/remote-upstream.ts';
import { RpcServer } from '../../rpc/server/rpc-server.ts';
import { Closing } from '../closing.ts';
import { hostNode, roomsOf } from '../node-host.ts';
import { openEdge } from '../open-edge.ts';
import type { Outside } from '../outside.ts';
import type { Question } from './dialogue.ts';
import { type Addresses, nameOf, type PartStart } from './messages.ts';
import { workerNode } from './worker-node.ts';

/** Milliseconds for the parent to tell what it knows of all processes. */
const askMs = 2_000;

/** One process of an edge, as it runs. */
export interface RunningPart extends Addresses {
  /** Answers what the parent asks. */
  answer(question: Question): Promise<unknown>;
  /** Drains and closes. Idempotent. */
  stop(): Promise<void>;
}

/** Asks the parent. */
export type AskParent = (question: Question, withinMs: number) => Promise<unknown>;

/** @throws as `startEdge` */
export function startPart(start: PartStart, outside: Outside, ask: AskParent): Promise<RunningPart> {
  return start.part.role === 'keeper' ? startKeeper(start, outside) : startWorker(start, outside, ask);
}

/** The edge itself: it follows the upstreams, keeps the disk, and serves the workers on a socket. */
async function startKeeper({ part, config, socket }: PartStart, outside: Outside): Promise<RunningPart> {
  const closing = new Closing(outside.logger);
  return closing.orClose(async () => {
    const { edge, metrics } = await openEdge({ config, outside, closing, tellsHitRate: false });
    metrics.label(nameOf(part));
    const { requestTimeoutMs, drainTimeoutMs } = config;
    const server = new RpcServer({
      ...{ upstream: edge, entrance: new PassedOn(edge, outside.clock), observer: metrics.rpc },
      ...{
        clock: outside.clock,
        logger: outside.logger,
        tracer: outside.tracer,
        requestTimeoutMs,
        rooms: roomsOf(config),
      },
    });
    await rm(socket, { force: true }); // Of a keeper that was killed.
    await server.startLocal(socket);
    closing.add('socket', () => server.stop(drainTimeoutMs));
    const status = () => edge.status();
    return { answer: async (question) => answerOf(question, status, metrics), stop: () => closing.close() };
  });
}

/** A cache of everything before the keeper, and before the edge's own upstreams while that is away. */
async function startWorker(
  { part, config, socket, isDrained }: PartStart,
  outside: Outside,
  ask: AskParent,
): Promise<RunningPart> {
  const closing = new Closing(outside.logger);
  return closing.orClose(async () => {
    const keepers: RemoteUpstream[] = [];
    const { edge, ...opened } = await openEdge({
      ...{ config, outside, closing, isReached: false },
      nearer: ({ rpc }) => {
        const address = { address: `unix:${socket}`, shownAs: 'the keeper of this edge' };
        const keeper = new RemoteUpstream({ ...address, clock: outside.clock, observer: rpc, pipelined: true });
        closing.add('connection to the keeper', async () => keeper.close());
        keepers.push(keeper);
        return [{ name: 'keeper', upstream: keeper, isOwnProcess: true }];
      },
    });
    const [keeper] = keepers;
    if (keeper === undefined) throw new Error('the keeper is an upstream');
    const { metrics } = opened;
    metrics.label(nameOf(part));
    const own = () => edge.status();
    const statusOfAll = () => ask('status', askMs).then(asStatus, async (error) => unasked(await own(), error));
    if (isDrained) opened.draining.begin();
    const node = await hostNode(workerNode({ edge, keeper, statusOfAll }), {
      ...{ ...config, ...opened, outside, closing, expiryClock: edge.expiryClock },
      drain: async ({ stop }) => asProgress(await ask(stop ? 'stop' : 'drain', askMs)),
      scrape: async () => asText(await ask('metrics', askMs)),
    });
    const { grpcAddress, httpAddress, redisAddress } = node;
    return {
      ...{ grpcAddress, httpAddress, ...(redisAddress === undefined ? {} : { redisAddress }) },
      answer: async (question) => (question === 'drain' ? node.drain() : answerOf(question, own, metrics)),
      stop: () => node.stop(),
    };
  });
}

async function answerOf(
  question: Question,
  status: () => Promise<NodeStatus>,
  metrics: { json(status: NodeStatus | undefined): Promise<unknown> },
): Promise<unknown> {
  return question === 'status' ? status() : metrics.json(await status());
}

function asStatus(answer: unknown): NodeStatus {
  return answer as NodeStatus;
}

function asProgress(answer: unknown): DrainProgress {
  return answer as DrainProgress;
}

function asText(answer: unknown): { readonly contentType: string; readonly text: string } {
  return answer as { contentType: string; text: string };
}

function unasked(status: NodeStatus, error: unknown): NodeStatus {
  const why = error instanceof Error ? error.message : String(error);
  return { ...status, notes: [...status.notes, `the other processes of this edge could not be asked: ${why}`] };
}
