import type { Argv } from 'yargs';
import type { DataReport } from '../../node/check-data.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { type OutputWords, outputFlags, printAll } from '../print-result.ts';

interface CheckWords extends OutputWords {
  readonly data: string;
  readonly salvage: string | undefined;
}

export const checkCommand: Command<CheckWords> = {
  usage: 'check',
  describe: 'Verify the data of a stopped node, and save what can be read of damaged data',
  build: (parser) =>
    parser
      .options({
        data: { type: 'string', demandOption: true, requiresArg: true, describe: 'The data folder of the node' },
        salvage: {
          type: 'string',
          requiresArg: true,
          describe: 'Folder to write the records into, one file a namespace, as import reads them',
        },
        ...outputFlags,
      })
      .example('$0 check --data data/origin', 'ends with 1 where anything is damaged')
      .example('$0 check --data data/origin --salvage saved', 'and saves what can be read') as Argv<CheckWords>,
  run: async ({ data, salvage, ...words }, { terminal }) => {
    const { checkData } = await import('../../node/check-data.ts');
    const reports = await checkData(data, salvage);
    await printAll(words, terminal, reports.map(jsonOf), () => reports.map(describe).join(''));
    return reports.every(({ whole }) => whole) ? exitCodes.done : exitCodes.failed;
  },
};

function describe({ store, whole, salvaged }: DataReport): string {
  const { directory, acknowledged, missing, fault, tables, bytes, damaged, manifestLost } = store;
  const lines = [`${directory}: ${whole ? 'whole' : 'DAMAGED'}`];
  if (manifestLost) lines.push('its CURRENT or MANIFEST cannot be read');
  else lines.push(`${tables} tables of ${bytes} bytes verified; ${acknowledged} commits acknowledged`);
  if (missing !== undefined) lines.push(`missing: acknowledged commits ${missing.from} to ${missing.through}`);
  if (fault !== undefined) lines.push(`${fault.file} cannot be read from byte ${fault.at} on`);
  for (const { path, blocks, unreadable } of damaged) {
    lines.push(unreadable === undefined ? `${path}: ${blocks.length} damaged blocks` : `${path}: ${unreadable}`);
    for (const { at, keys } of blocks) lines.push(`  at ${at}: ${keys === undefined ? 'no keys' : rangeText(keys)}`);
  }
  if (salvaged !== undefined) {
    lines.push(`saved ${salvaged.records} records; ${salvaged.incomplete} are known and could not be saved`);
  }
  return `${lines.join('\n  ')}\n`;
}

function jsonOf({ store, whole, salvaged }: DataReport) {
  const damaged = store.damaged.map(({ path, blocks, unreadable }) => ({
    path,
    ...(unreadable === undefined ? {} : { unreadable }),
    blocks: blocks.map(({ at, bytes, keys }) => ({
      at,
      bytes,
      ...(keys === undefined ? {} : { keys: rangeText(keys) }),
    })),
  }));
  return { ...store, damaged, whole, ...(salvaged === undefined ? {} : { salvaged }) };
}

/** Keys of the store's own order: a letter for the table, the namespace's id, the user's key. */
function rangeText({ from, to }: { readonly from: Buffer; readonly to: Buffer }): string {
  return `${JSON.stringify(from.toString())} to ${JSON.stringify(to.toString())}`;
}
