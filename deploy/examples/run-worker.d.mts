export interface RunningWorker {
  /** `http://host:port` */
  readonly url: string;
  stop(): Promise<void>;
}

export function runWorker(options: {
  /** A folder of this folder. */
  readonly example: string;
  /** Service of the configuration → `host:port`. */
  readonly externals: Readonly<Record<string, string>>;
  readonly port?: number;
}): Promise<RunningWorker>;
