import { createServer } from 'node:net';

/** Ports that no connection is given as its own: from 32768 on the system takes them for that, also while a node restarts. */
const firstPort = 20_000;
const endPort = 32_000;

/** Nobody listens there now, and no connection will have it. Origins say to each other where they are reached, which port 0 does not tell. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = firstPort + Math.floor(Math.random() * (endPort - firstPort));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('no port is free');
}
