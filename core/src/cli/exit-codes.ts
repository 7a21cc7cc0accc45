/** What a script may rely on; docs/reference/cli.md lists them. */
export const EXIT = {
  ok: 0,
  /** The command ran, and the answer is no: a task failed, a template is not valid, a task does not exist. */
  failed: 1,
  /** The command line, its input or a template cannot be used as written. */
  usage: 2,
  /** Something the command needs is missing or broken: database, interpreter, package. */
  environment: 3,
  /** An error nobody foresaw. */
  bug: 70,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;
