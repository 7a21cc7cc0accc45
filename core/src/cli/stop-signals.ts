import { EXIT } from "./exit-codes.js";

export interface StopSignals {
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** How a command that was stopped ends: 130 or 143; null while nothing came. */
  readonly exitCode: number | null;
  /** Resolves on the first signal. */
  readonly stopped: Promise<void>;
  close(): void;
}

/**
 * The first SIGINT or SIGTERM asks for an orderly end, the second ends the process at once: handler processes and an
 * embedded database notice by themselves that their owner is gone.
 */
export function listenForStop(onFirst: () => void): StopSignals {
  const controller = new AbortController();
  let exitCode: number | null = null;
  let resolveStopped = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    resolveStopped = resolve;
  });
  const onSignal = (name: NodeJS.Signals): void => {
    const code = name === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
    if (exitCode !== null) process.exit(code);
    exitCode = code;
    onFirst();
    controller.abort(new Error(`stopped by ${name}`));
    resolveStopped();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    stopped,
    close: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
