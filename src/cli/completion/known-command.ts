import type { Argv, Options, PositionalOptions } from 'yargs';

/** What the parser knows of one command: what may stand behind it. */
export interface KnownCommand {
  readonly options: Map<string, Options>;
  /** Names of its positionals, in their order. */
  readonly positionals: string[];
  readonly aboutPositionals: Map<string, PositionalOptions>;
  /** Its own commands, by name. */
  readonly commands: Map<string, CommandBehind>;
}

export interface CommandBehind {
  readonly describe: string;
  known(): KnownCommand;
}

type Build = (parser: Argv) => unknown;

/**
 * Asks a builder what it would tell the parser. yargs completes by itself only what is typed into its own process: below a
 * command it parses the words of that process again.
 */
export function knownCommand(build: Build, positionals: readonly string[] = []): KnownCommand {
  const known: KnownCommand = {
    options: new Map(),
    positionals: [...positionals],
    aboutPositionals: new Map(),
    commands: new Map(),
  };
  const parser: Argv = new Proxy({} as Argv, {
    get: (_, method) => (first: unknown, second: unknown, third: unknown) => {
      if (method === 'options')
        for (const [name, option] of Object.entries(first as object)) known.options.set(name, option);
      else if (method === 'positional') known.aboutPositionals.set(String(first), second as PositionalOptions);
      else if (method === 'option') known.options.set(String(first), second as Options);
      else if (method === 'command') recordCommand(known, String(first), second, third as Build);
      return parser;
    },
  });
  build(parser);
  return known;
}

/** Commands without a description are hidden; `$0` is what its group does without a command of its own. */
function recordCommand(known: KnownCommand, usage: string, describe: unknown, build: Build): void {
  const [name = '', ...rest] = usage.split(' ');
  const positionals = rest.map((word) => word.replace(/[<>[\]]|\.\./g, ''));
  if (name === '$0') {
    const own = knownCommand(build, positionals);
    for (const [option, of] of own.options) known.options.set(option, of);
    known.positionals.push(...own.positionals);
  } else if (typeof describe === 'string') {
    known.commands.set(name, { describe, known: () => knownCommand(build, positionals) });
  }
}
