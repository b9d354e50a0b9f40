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
    return spawned(worker.process);
  };
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
