/**
 * Of a caller who never goes away: shared, as one for each call would be most of what a run allocates. It keeps no
 * listener, as it calls none: those of calls that nobody ended, since their process crashed, would hold all of each history.
 */
export const noSignal: AbortSignal = new AbortController().signal;
noSignal.addEventListener = () => {};
noSignal.removeEventListener = () => {};
