import type { Command } from '../protocol/command-parser.ts';
import { RespError } from '../protocol/reply.ts';
import { wrongArity } from '../resp-error.ts';
import type { CommandSpec } from './command.ts';
import { commandTable } from './command-table.ts';

/** Bytes of what a client sent that an error repeats. */
const repeatedBytesMax = 128;

/** What is to be carried out. @throws RespError where nobody knows the command, or it has too few or many arguments */
export function findCommand({ args, refusal }: Command): CommandSpec {
  const spec = commandTable.get(nameOf(args[0]));
  if (spec === undefined) throw unknownCommand(args);
  if (refusal !== undefined) throw new RespError(refusal, 'too-large');
  const { arity, name } = spec;
  if (arity >= 0 ? args.length !== arity : args.length < -arity) throw wrongArity(name);
  return spec;
}

export function nameOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('latin1', 0, repeatedBytesMax).toLowerCase();
}

function unknownCommand(args: readonly Buffer[]): RespError {
  let rest = '';
  for (const bytes of args.slice(1)) {
    if (rest.length >= repeatedBytesMax) break;
    rest += `'${bytes.toString('latin1', 0, repeatedBytesMax - rest.length)}' `;
  }
  const name = args[0]?.toString('latin1', 0, repeatedBytesMax) ?? '';
  return new RespError(`ERR unknown command '${name}', with args beginning with: ${rest}`, 'unknown-command');
}
