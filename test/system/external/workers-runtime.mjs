/** What packages for Workers import from their runtime, as far as they need it to be loaded elsewhere. */
export class DurableObject {}
