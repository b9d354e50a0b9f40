import { connect, createServer, type Socket } from 'node:net';

/** Where a connection breaks: before the server has the statement, before its answer, or within its answer. */
export type Cut = 'before' | 'after' | 'within';

export interface CuttingProxy {
  readonly port: number;
  /** The next statement whose bytes hold this text loses its connection so. */
  cutNext(text: string, how: Cut): void;
  /** From now on it leads there; every connection is cut. */
  leadTo(serverPort: number): void;
  /** Cuts that were made. */
  readonly cuts: number;
  close(): Promise<void>;
}

/** Passes on what a database and its client say to each other, until it is told to break a connection. */
export async function startCuttingProxy(serverPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let target = serverPort;
  let armed: { readonly text: string; readonly how: Cut } | undefined;
  let cuts = 0;
  const server = createServer((client) => {
    const far = connect(target, '127.0.0.1');
    let cutting: Cut | undefined;
    const end = () => {
      client.destroy();
      far.destroy();
    };
    for (const socket of [client, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on('data', (bytes) => {
      if (armed !== undefined && bytes.includes(armed.text)) {
        cutting = armed.how;
        armed = undefined;
        cuts++;
        if (cutting === 'before') return end();
      }
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      if (cutting === 'after') return end();
      if (cutting === 'within') {
        client.write(bytes.subarray(0, Math.floor(bytes.byteLength / 2)), end);
        return;
      }
      client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    cutNext: (text, how) => {
      armed = { text, how };
    },
    leadTo: (port) => {
      target = port;
      for (const socket of sockets) socket.destroy();
    },
    get cuts() {
      return cuts;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
