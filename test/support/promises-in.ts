import { createHook } from 'node:async_hooks';

/** Promises that are made while it runs. */
export function promisesIn(run: () => void): number {
  let promises = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'PROMISE') promises++;
    },
  });
  hook.enable();
  run();
  hook.disable();
  return promises;
}
