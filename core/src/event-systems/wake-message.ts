/**
 * What a worker can be told on its channel `tasker_wake_<worker id>` beyond an empty wake-up: `task_cancelled:<step ids>`
 * and `lease_lost:<step ids>` when steps that it runs were taken away by an operator. Hints: lease renewal finds out too.
 */
export type WakeMessage =
  | { readonly kind: "wake" }
  | { readonly kind: "task_cancelled" | "lease_lost"; readonly stepIds: readonly bigint[] };

/** Anything that is not understood, such as a word of a newer version, is a wake-up. */
export function readWakeMessage(payload: string): WakeMessage {
  const match = /^(task_cancelled|lease_lost):(\d+(?:,\d+)*)$/.exec(payload);
  if (match === null) return { kind: "wake" };
  const kind = match[1] as Exclude<WakeMessage["kind"], "wake">;
  return { kind, stepIds: (match[2] ?? "").split(",").map(BigInt) };
}
