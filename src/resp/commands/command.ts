import type { Mutation } from '../../model/key-value.ts';
import type { Client } from '../client.ts';
import type { Reply } from '../protocol/reply.ts';

/** A command's arguments, its own name first. */
export type Args = readonly Buffer[];

/** Answers at once where it can: a reply that is there needs no promise. Throws and rejects with what is answered. */
export type Run = (client: Client, args: Args) => Reply | Promise<Reply>;

/** A command as clients are told of it, in Redis' own terms. */
export interface CommandAbout {
  /** In lower case. */
  readonly name: string;
  /** Arguments with the name; negative where there may be more. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** Places of the first and the last key (negative: from the end), and the step between; zeros where there is none. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly group: string;
  readonly since: string;
  readonly summary: string;
}

/**
 * How a command goes together with those around it on its connection. Replies come in the order of the commands all the
 * same.
 * - `read`: beside other reads.
 * - `alone`: once everything before it is answered; what follows waits for it.
 * - `write`: alone; but where `mutations` tells what it comes down to, those that follow each other are one write.
 */
export type CommandSpec = CommandAbout & { readonly run: Run } & (
    | { readonly order: 'read' | 'alone' }
    | {
        readonly order: 'write';
        /** What it writes, whatever is there, to be answered OK; undefined where it must look first. */
        readonly mutations: (client: Client, args: Args) => readonly Mutation[] | undefined;
      }
  );
