import type { Argv } from 'yargs';
import type { ClientConfig } from '../../config/config.ts';
import { statusJson } from '../../model/status-json.ts';
import { sleep } from '../../runtime/clock.ts';
import { withEither } from '../../runtime/with-either.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { durationOf } from '../duration-flag.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { printResult } from '../print-result.ts';
import { ClusterLooks } from '../top/cluster-looks.ts';
import { Screen } from '../top/screen.ts';
import { type Look, topTables } from '../top/top-table.ts';
import { UsageError } from '../usage-error.ts';

interface TopWords extends ClientWords {
  readonly every: string;
}

/** Milliseconds between two looks. */
const everyMs = { least: 200, most: 60_000 } as const;
const hotKeysShown = 15;
/** As a keyboard tells them: q, Q, Ctrl-C, Ctrl-D. */
const quitKeys: ReadonlySet<string> = new Set(['q', 'Q', '\u0003', '\u0004']);

export const topCommand: Command<TopWords> = {
  usage: 'top',
  describe: 'The nodes of the cluster as they are now: proven age, rates, hot keys; painted anew until q is pressed',
  build: (parser) =>
    withClientOptions(parser)
      .option('every', { type: 'string', default: '2s', describe: 'Between two looks, from 200ms to 60s' })
      .example('$0 top', 'the cluster, as the origin on this machine sees it')
      .example('$0 top --every 1s | cat', 'not on a screen: two looks, printed once') as Argv<TopWords>,
  run: (words, context) => {
    const pauseMs = durationOf('--every', words.every);
    if (pauseMs < everyMs.least || pauseMs > everyMs.most) {
      throw new UsageError(`--every must be from ${everyMs.least} to ${everyMs.most} ms; it is ${pauseMs} ms`);
    }
    return withCluster(words, context, async (cluster) => {
      const config: ClientConfig = await readConfig('client', words as unknown as Words, context.terminal.environment);
      const looks = new ClusterLooks(cluster, config, context);
      try {
        const isLive = !words.json && context.terminal.screenSize() !== undefined;
        return isLive ? await live(looks, pauseMs, context) : await once(looks, pauseMs, words, context);
      } finally {
        looks.close();
      }
    });
  },
};

/** Two looks, as there is no rate in one. */
async function once(
  looks: ClusterLooks,
  pauseMs: number,
  words: ClientWords,
  { terminal, clock }: CommandContext,
): Promise<ExitCode> {
  const before = await looks.look(terminal.stopped);
  await sleep(clock, pauseMs, terminal.stopped);
  const now = await looks.look(terminal.stopped);
  await printResult(words, terminal, jsonOf(now), words.json ? '' : topTables(now, before, hotKeysShown));
  return exitCodes.done;
}

/** Until a key, or whoever tells it to stop. The screen is given back whatever ends it. @throws where the node is lost */
async function live(looks: ClusterLooks, pauseMs: number, { terminal, clock }: CommandContext): Promise<ExitCode> {
  const quit = new AbortController();
  const release = terminal.onKey((key) => {
    if (quitKeys.has(key)) quit.abort();
  });
  const screen = await Screen.open(terminal);
  try {
    await withEither([terminal.stopped, quit.signal], async (ending) => {
      let before: Look | undefined;
      while (!ending.aborted) {
        const now = await looks.look(ending);
        const time = new Date(clock.wallMs()).toISOString().slice(11, 19);
        await screen.paint(topTables(now, before, hotKeysShown), `${time} UTC, every ${pauseMs / 1000} s; q quits`);
        before = now;
        await sleep(clock, pauseMs, ending);
      }
    });
  } catch (error) {
    if (!terminal.stopped.aborted && !quit.signal.aborted) throw error;
  } finally {
    release();
    await screen.close();
  }
  return exitCodes.done;
}

function jsonOf({ views }: Look): object {
  const nodes = views.map(({ member, status, error }) => {
    if (status === undefined) return { ...member, error };
    return statusJson(status);
  });
  return { nodes };
}
