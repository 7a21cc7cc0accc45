/** The two words the launcher says to a logger; a pino logger fits. */
export interface PostgresLogger {
  info(message: string): void;
  warn(message: string): void;
}

/** Where the binaries came from. */
export type PostgresSource = "embedded" | "system";

export interface StartPostgresOptions {
  /**
   * Directory of this project's cluster, normally `<project>/.tasker/postgres`. Created when missing, together with
   * a `.gitignore` that keeps all of it out of version control.
   */
  readonly dataDir: string;
  /** Preferred loopback port. When it is taken another free one is used. Default: the last one, then any free one. */
  readonly port?: number;
  /** Database named in the url, created when missing. Default `tasker`. */
  readonly database?: string;
  /** Server settings that override {@link DEFAULT_SETTINGS}, as `name: value`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gives up on starting; has no effect on a server that is already up. */
  readonly signal?: AbortSignal;
  readonly logger?: PostgresLogger;
  /** Bound on the whole start, recovery after a crash included. Default 60 000. */
  readonly startTimeoutMs?: number;
  /** Which binaries may be used, in this order. Default `["embedded", "system"]`. */
  readonly sources?: readonly PostgresSource[];
  /** Directory of the embedded package's `native` tree, for an unusual installation. Default: the installed package. */
  readonly embeddedRoot?: string;
  /** Where binaries are copied when they cannot be used in place. Default: a per-user directory under the system's temp. */
  readonly cacheDir?: string;
  /** Whether root may run the server in a user namespace when `nobody` cannot reach the project. Default true. */
  readonly userNamespace?: boolean;
  /**
   * Where root puts the data when it is the only user who can enter the project and user namespaces are not allowed;
   * `dataDir` then holds a link. Default `/var/lib/tasker/postgres`.
   */
  readonly relocateTo?: string;
}

/** A running server. Its password is part of `url`, so treat the url as a secret. */
export interface PostgresServer {
  readonly url: string;
  /** Major and minor, such as `18.4`. */
  readonly version: string;
  readonly pid: number;
  readonly port: number;
  /** True when another process owns the server: then `stop()` does nothing and the server ends with its owner. */
  readonly attached: boolean;
  /** `null` on an attached server: only its owner knows. */
  readonly source: PostgresSource | null;
  /** Resolves when the postmaster has ended, for whatever reason. Never resolves on an attached server. */
  readonly exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, the data directory is left clean. May be called twice. */
  stop(): Promise<void>;
}
