import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { SpawnedProcess } from './kept-process.ts';
import type { FromProcess, Part } from './messages.ts';

/** Makes the processes of an edge. */
export type Spawn = (part: Part) => SpawnedProcess;

/** By the script that is one part of an edge. Workers share the listeners that they open (node:cluster); the keeper has its own. */
export function spawner(script: URL): Spawn {
  const exec = fileURLToPath(script);
  // Maps and bytes travel as they are.
  const serialization = 'advanced';
  const spawned = parentOf();
  return ({ role }) => {
    if (role === 'keeper') return spawned(fork(exec, [], { serialization }));
    cluster.setupPrimary({ exec, args: [], serialization });
    const worker = cluster.fork();
    // Told by its process too. Without a listener of its own it would be uncaught here, and end the others.
    worker.on('error', () => {});
    closeUntaken(worker.process);
    return spawned(worker.process);
  };
}

/**
 * Breaks the connections that a worker was handed, and did not take before it ended. node:cluster keeps them open, and tells
 * nobody: whoever connected would wait for ever.
 */
function closeUntaken(child: ChildProcess): void {
  if (!child.connected) return; // It could not be made.
  const handed = new Map<unknown, { close(): void }>();
  const send = child.send.bind(child) as (...words: readonly unknown[]) => boolean;
  // Its own messages, which are documented nowhere: where they are others, nothing is found in them.
  child.send = (message: unknown, ...rest: readonly unknown[]) => {
    const { act, seq } = message as { readonly act?: unknown; readonly seq?: unknown };
    const [handle] = rest as ReadonlyArray<{ close(): void } | undefined>;
    if (act === 'newconn' && handle !== undefined) handed.set(seq, handle);
    return send(message, ...rest);
  };
  child.on('internalMessage', ({ ack }: { readonly ack?: unknown }) => handed.delete(ack));
  child.once('exit', () => {
    for (const handle of handed.values()) handle.close();
  });
}

/**
 * Its parent gone without a word, a process ends by itself; where the parent exits in good order it must not outlive it. One
 * listener kills all of them: Node.js takes more than ten for a leak, and warns.
 */
function parentOf(): (child: ChildProcess) => SpawnedProcess {
  const children = new Set<ChildProcess>();
  const orphaned = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  return (child) => {
    if (children.size === 0) process.on('exit', orphaned);
    children.add(child);
    return spawned(child, () => {
      children.delete(child);
      if (children.size === 0) process.off('exit', orphaned);
    });
  };
}

function spawned(child: ChildProcess, forget: () => void): SpawnedProcess {
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    // Also of what cannot be sent to it, by node:cluster too, and each time: its end tells of that.
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
  }).finally(forget);
  return {
    pid: child.pid ?? 0,
    send: (message) => {
      if (!child.connected) return false;
      // What fails to be sent is told by the end of the process.
      child.send(message, () => {});
      return true;
    },
    onMessage: (run) => child.on('message', (message) => isOurs(message) && run(message)),
    kill: () => child.kill('SIGKILL'),
    ended,
  };
}

/** Node's own messages between the processes of a cluster have no kind. */
function isOurs(message: unknown): message is FromProcess {
  return typeof message === 'object' && message !== null && 'kind' in message;
}
