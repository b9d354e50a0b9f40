import type { CommandSpec } from './command.ts';
import { connectionCommands } from './connection-commands.ts';
import { expiryCommands } from './expiries.ts';
import { keyspaceCommands } from './keyspace.ts';
import { meridianCommands } from './meridian.ts';
import { readCommands } from './reads.ts';
import { serverCommands } from './server-commands.ts';
import { writeCommands } from './writes.ts';

/** Every command that is answered, by its name in lower case. */
export const commandTable: ReadonlyMap<string, CommandSpec> = new Map(
  [
    ...readCommands,
    ...writeCommands,
    ...expiryCommands,
    ...keyspaceCommands,
    ...connectionCommands,
    ...serverCommands(() => commandTable),
    ...meridianCommands,
  ].map((spec) => [spec.name, spec]),
);
