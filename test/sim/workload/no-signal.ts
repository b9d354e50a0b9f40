import { setMaxListeners } from 'node:events';

/** Of a caller who never goes away: shared, as one for each call would be most of what a run allocates. */
export const noSignal: AbortSignal = new AbortController().signal;
setMaxListeners(0, noSignal);
