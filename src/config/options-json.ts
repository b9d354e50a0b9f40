import { defaultOf, isFlag, targets, variableOf } from './option.ts';
import { optionsOf } from './options.ts';
import { kindName } from './parse-value.ts';

/** Every option of every command, one JSON object a line, for programs that write configurations. */
export function optionsJson(): string {
  return targets
    .flatMap((target) => optionsOf(target).map(([, option]) => ({ target, option })))
    .map(({ target, option }) => {
      const { flag, list = false, required = false, help } = option;
      const text = defaultOf(option, target);
      const fallback = text === undefined || text === '' ? {} : { default: text };
      const value = kindName(option);
      return JSON.stringify({
        command: target,
        ...(isFlag(option, target) ? { flag } : {}),
        variable: variableOf(option),
        value,
        list,
        ...fallback,
        required,
        help,
      });
    })
    .map((line) => `${line}\n`)
    .join('');
}
