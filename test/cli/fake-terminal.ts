import { runCommandLine } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import type { ClientConfig } from '../../src/config/config.ts';
import { formatAddress } from '../../src/config/parse-address.ts';
import { fakeCluster, hastyClock } from '../client/fake-cluster.ts';
import { FakeNode } from '../client/fake-node.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly output: string;
  readonly bytes: Uint8Array;
  readonly notes: readonly string[];
}

export interface CommandLine {
  readonly node: FakeNode;
  /** Others than that one, by their `host:port`. */
  readonly others: Map<string, FakeNode>;
  /** The client options of each connection that was made. */
  readonly connections: ClientConfig[];
  readonly stop: AbortController;
  run(words: string, input?: string | Uint8Array): Promise<Outcome>;
  runWords(words: readonly string[], input?: string | Uint8Array): Promise<Outcome>;
}

export interface Person {
  /** What is given as input is typed. */
  readonly keyboard?: boolean;
  /** Sees standard output. */
  readonly screen?: boolean;
  /** Of a screen that can be painted on. */
  readonly size?: { readonly rows: number; readonly columns: number };
  /** Takes what is to be told of each key. */
  readonly onKey?: (press: (key: string) => void) => void;
}

/** The command line over one node in memory; words are parted by spaces. */
export function commandLine(environment: Record<string, string> = {}, person: Person = {}): CommandLine {
  const { keyboard = false, screen = false } = person;
  const node = new FakeNode();
  const others = new Map<string, FakeNode>();
  const connections: ClientConfig[] = [];
  const stop = new AbortController();
  const runWords = async (words: readonly string[], input?: string | Uint8Array): Promise<Outcome> => {
    const chunks: Uint8Array[] = [];
    const notes: string[] = [];
    const terminal: Terminal = {
      write: async (chunk) => void chunks.push(Buffer.from(chunk)),
      note: (line) => void notes.push(line),
      input: feed(input),
      environment,
      interactive: false,
      inputIsKeyboard: input === undefined || keyboard,
      outputIsScreen: screen,
      screenSize: () => person.size,
      onKey: (pressed) => {
        person.onKey?.(pressed);
        return () => {};
      },
      stopped: stop.signal,
    };
    const exitCode = await runCommandLine(words, {
      terminal,
      clock: hastyClock,
      random: { fraction: () => 0, hex: () => '' },
      connect: async (config) => {
        connections.push(config);
        const [place] = config.endpoints.map(formatAddress);
        return fakeCluster([others.get(place ?? '') ?? node]).cluster;
      },
    });
    const bytes = Buffer.concat(chunks);
    return { exitCode, output: bytes.toString(), bytes, notes };
  };
  return { node, others, connections, stop, runWords, run: (words, input) => runWords(words.split(' '), input) };
}

async function* feed(input: string | Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (input !== undefined) yield Buffer.from(input);
}
