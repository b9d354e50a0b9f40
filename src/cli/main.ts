#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import nodeModule from 'node:module';

// Before anything else is loaded: from Node.js 22 on, what was compiled once is kept for the next start.
const keepCompiled: unknown = Reflect.get(nodeModule, 'enableCompileCache');
if (typeof keepCompiled === 'function') keepCompiled.call(nodeModule);

const { formatAddress } = await import('../config/parse-address.ts');
const { systemRandom } = await import('../runtime/random.ts');
const { systemClock } = await import('../runtime/system-clock.ts');
const { readClientTls, readClientToken } = await import('./client-access.ts');
const { processTerminal } = await import('./process-terminal.ts');
const { runCommandLine } = await import('./run.ts');

const terminal = processTerminal(systemClock);
process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal,
  clock: systemClock,
  random: systemRandom,
  connect: async ({ endpoints, timeoutMs, protocol, ...given }) => {
    const [token, tls] = [await readClientToken(given), await readClientTls(given)];
    // Help, and whatever is refused before it begins, need no network library.
    const { connect } = await import('../client/connect.ts');
    const brings = { ...(token === undefined ? {} : { token }), ...(tls === undefined ? {} : { tls }) };
    // As other tools pass a trace on to the processes that they start.
    const { TRACEPARENT: traceparent, TRACESTATE: tracestate } = process.env;
    const trace = traceparent === undefined ? undefined : { traceparent, ...(tracestate ? { tracestate } : {}) };
    const traceContext = () => trace;
    return connect({ endpoints: endpoints.map(formatAddress), timeoutMs, protocol, traceContext, ...brings });
  },
  commandLine: () => {
    try {
      return readFileSync('/proc/self/cmdline');
    } catch {
      return undefined; // Only Linux has it.
    }
  },
});
terminal.close();
