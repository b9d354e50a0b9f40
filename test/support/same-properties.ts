import fc from 'fast-check';

/**
 * Properties are tried with the same inputs each time, so that a failure speaks of the change. `PROPERTY_SEED=N npm test`
 * looks for what is new; a failure names its seed as well.
 */
fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 1) });
