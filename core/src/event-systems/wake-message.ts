/**
 * What a worker can be told on its channel `tasker_wake_<worker id>` beyond an empty wake-up:
 * `task_cancelled:<step ids>` and `lease_lost:<step ids>` when steps that it runs were taken away by an operator, and
 * `results_replaced:<task ids>`. All of them hints: lease renewal finds out about steps too.
 */
export type WakeMessage =
  | { readonly kind: "wake" }
  | { readonly kind: "task_cancelled" | "lease_lost"; readonly stepIds: readonly bigint[] }
  | { readonly kind: "results_replaced"; readonly taskIds: readonly bigint[] };

/** Anything that is not understood, such as a word of a newer version, is a wake-up. */
export function readWakeMessage(payload: string): WakeMessage {
  const match = /^(task_cancelled|lease_lost|results_replaced):(\d+(?:,\d+)*)$/.exec(payload);
  if (match === null) return { kind: "wake" };
  const kind = match[1] as Exclude<WakeMessage["kind"], "wake">;
  const ids = (match[2] ?? "").split(",").map(BigInt);
  return kind === "results_replaced" ? { kind, taskIds: ids } : { kind, stepIds: ids };
}
