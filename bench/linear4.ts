// The workload of the engine's figures: four trivial steps in a row.

import { defineHandler } from "@tasker-core/sdk";
import { HandlerRegistry } from "@tasker-core/sdk/host";
import type { Engine } from "../core/src/bootstrap.js";
import { parseTemplate } from "../core/src/templates/index.js";

const NEVER = new AbortController().signal;
const VARIANTS = {
  ts: ["bench.ts_first", "bench.ts_second", "bench.ts_third", "bench.ts_last"],
  native: ["c.echo", "c.echo", "c.echo", "c.echo"],
  mixed: ["bench.ts_first", "bench.py_step", "bench.rb_step", "bench.ts_last"],
} as const;
export type Variant = keyof typeof VARIANTS;

/** Creates tasks, `inFlight` of them at once, and waits for each: the time from the request to the rest. */
export async function run(
  engine: Engine,
  variant: Variant,
  tasks: number,
  inFlight: number,
): Promise<{ latenciesMs: number[]; seconds: number }> {
  const latenciesMs: number[] = [];
  let left = tasks;
  const startedAt = performance.now();
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const createdAt = performance.now();
      const task = await engine.createTask({
        namespace: "bench",
        name: `linear_${variant}`,
        version: "1.0.0",
        context: { n: 1 },
      });
      const state = await engine.waitForTask(task, NEVER);
      if (state !== "complete") throw new Error(`task ${task.taskUuid} ended in ${state}`);
      latenciesMs.push(performance.now() - createdAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { latenciesMs, seconds: (performance.now() - startedAt) / 1000 };
}

export function typescriptHandlers(): HandlerRegistry {
  const registry = new HandlerRegistry();
  const first = defineHandler("bench.ts_first", { inputs: { n: "n" } }, async ({ n }) => ({
    n: Number(n) + 1,
  }));
  registry.register("bench.ts_first", first);
  for (const [name, previous] of [
    ["bench.ts_second", "one"],
    ["bench.ts_third", "two"],
    ["bench.ts_last", "three"],
  ] as const) {
    const next = defineHandler(name, { depends: { previous } }, async ({ previous: value }) => ({
      n: (value as { n: number }).n + 1,
    }));
    registry.register(name, next);
  }
  return registry;
}

export function linear4(variant: Variant) {
  const names = ["one", "two", "three", "four"];
  const steps = VARIANTS[variant].map((callable, i) => ({
    name: names[i],
    handler: { callable },
    dependencies: i === 0 ? [] : [names[i - 1]],
  }));
  const text = JSON.stringify({
    name: `linear_${variant}`,
    namespace_name: "bench",
    version: "1.0.0",
    identity_strategy: "always_unique",
    steps,
  });
  const parsed = parseTemplate(text, `linear_${variant}.json`);
  if (parsed.template === null) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.template;
}
