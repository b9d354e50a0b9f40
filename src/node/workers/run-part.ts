import { toMeridianError } from '../../model/errors.ts';
import type { Tracer } from '../../model/trace.ts';
import { quietGrpc } from '../../rpc/quiet.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { processOutside } from '../outside.ts';
import { endAtDefects } from '../run-node.ts';
import { Dialogue } from './dialogue.ts';
import { type FromProcess, nameOf, type PartStart, type ToProcess } from './messages.ts';
import { type RunningPart, startPart } from './start-part.ts';
import { encodeFailure } from './wire-failure.ts';

/*
 * One process of an edge with workers, run by its supervisor (spawn.ts). It does as its parent says: begins with what it is
 * told, ends when it is told, and ends where the parent is gone. A signal that reaches the whole group is the parent's to
 * act upon: processes that each did so by themselves would cut what the others still answer.
 */

let ends = false;
let running: RunningPart | undefined;
let tracer: Tracer | undefined;

const dialogue = new Dialogue({
  clock: systemClock,
  send: (message) => send(message),
  answer: async (question) => (question === 'alive' ? true : running?.answer(question)),
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// Whoever read the log, or the audit log, may be gone: that ends no process, as it ends none of an edge that is one.
for (const output of [process.stderr, process.stdout]) output.on('error', () => {});
process.on('message', (message) => take(message as ToProcess));
process.once('disconnect', () => void end());
send({ kind: 'hears' });

function send(message: FromProcess): boolean {
  if (!process.connected) return false;
  process.send?.(message, undefined, {}, () => {});
  return true;
}

function take(message: ToProcess): void {
  if (message.kind === 'start') void begin(message);
  else if (message.kind === 'stop') void end();
  else dialogue.take(message);
}

async function begin(start: PartStart): Promise<void> {
  const { config, part } = start;
  quietGrpc(process.env);
  const outside = await processOutside({ ...config, role: 'edge' }, part.role === 'keeper' ? '/keeper' : '');
  tracer = outside.tracer;
  endAtDefects(outside.logger);
  try {
    running = await startPart(start, outside, (question, withinMs) => dialogue.ask(question, withinMs));
  } catch (error) {
    send({ kind: 'failed', failure: encodeFailure(toMeridianError(error)) });
    process.exitCode = 1;
    process.disconnect?.();
    return;
  }
  if (ends) return end();
  const { grpcAddress, httpAddress, redisAddress } = running;
  outside.logger
    .of('workers')
    .log('debug', 'a process of this edge serves', { process: nameOf(part), pid: process.pid });
  send({
    kind: 'serving',
    ...(grpcAddress === undefined ? {} : { grpcAddress }),
    ...(httpAddress === undefined ? {} : { httpAddress }),
    ...(redisAddress === undefined ? {} : { redisAddress }),
  });
}

async function end(): Promise<void> {
  ends = true;
  dialogue.end();
  await running?.stop();
  await tracer?.close();
  if (process.connected) process.disconnect?.();
}
