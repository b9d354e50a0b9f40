import { createServer } from 'node:http';

/** What a bare server answers every request with: the headers and the body that another server gave. */
export interface BareAnswer {
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** A `node:http` server in a process of its own, without any option, that does nothing but answer. */
process.once('message', ({ headers, body }: BareAnswer) => {
  const bytes = Buffer.from(body);
  const server = createServer((_request, response) => {
    response.writeHead(200, [...headers]);
    response.end(bytes);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
  });
  process.on('message', () => process.send?.({ cpuMs: cpuMs() }));
});
process.once('disconnect', () => process.exit(0));

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
