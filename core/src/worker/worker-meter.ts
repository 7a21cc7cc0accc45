/** Told of durations while steps run; whoever measures implements it. Must be cheap and never throw. */
export interface WorkerMeter {
  /** @param pool `typescript`, `python`, ...; of a process that joined `python-joined-3` */
  handlerEnded(pool: string, outcome: "success" | "failure", durationMs: number): void;
  databaseCall(call: "tick" | "submit" | "scan", durationMs: number): void;
}
