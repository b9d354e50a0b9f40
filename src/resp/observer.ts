/** What the Redis listener tells whoever measures. Every method returns at once and throws nothing. */
export interface RespObserver {
  /** A command was answered; one that nobody knows is called `unknown`. */
  answered(command: string, outcome: 'ok' | 'error'): void;
  /** A command was answered with an error, or a connection turned away or given up, for this reason. */
  rejected(reason: string): void;
  /** Open connections, from now on. */
  connected(count: number): void;
}
