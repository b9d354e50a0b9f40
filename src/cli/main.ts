#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { connect } from '../client/connect.ts';
import { formatAddress } from '../config/parse-address.ts';
import { systemRandom } from '../runtime/random.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { processTerminal } from './process-terminal.ts';
import { runCommandLine } from './run.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal: processTerminal(systemClock),
  clock: systemClock,
  random: systemRandom,
  connect: ({ endpoints, timeoutMs }) => connect({ endpoints: endpoints.map(formatAddress), timeoutMs }),
  commandLine: () => {
    try {
      return readFileSync('/proc/self/cmdline');
    } catch {
      return undefined; // Only Linux has it.
    }
  },
});
