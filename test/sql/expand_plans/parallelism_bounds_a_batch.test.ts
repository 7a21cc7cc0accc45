import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { defaultConfig } from "../../../core/src/config/index.js";
import {
  type ClaimedStep,
  resetStepForRetry,
  resolveStepManually,
} from "../../../core/src/db/functions/index.js";
import type { JsonValue } from "../../../core/src/lib/json-number.js";
import { encodePlan, planFor, planLimits } from "../../../core/src/lifecycle/plans/index.js";
import { TemplateRegistry } from "../../../core/src/lifecycle/template-registry.js";
import { compileTemplate } from "../../../core/src/model/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { yamlTemplate } from "../../support/test-engine.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
afterEach(() => assertIntegrity(database.pool));

const NOTE = { workerId: null, actor: "test", reason: null };

type Strategy = "continue_on_failure" | "isolate" | "fail_fast";

/** A task whose analyzer has made `count` workers, as the plan of its result says. */
async function batch(count: number, parallelism: number, strategy: Strategy) {
  const source = yamlTemplate(`
name: lanes_${parallelism}_${strategy}
namespace_name: lanes
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: analyze, type: batchable, handler: { callable: work } }
  - name: worker
    type: batch_worker
    dependencies: [analyze]
    handler: { callable: work }
    retry: { max_attempts: 2, backoff: none }
    batch_config:
      { batch_size: 1, parallelism: ${parallelism}, cursor_field: id, worker_template: worker, failure_strategy: ${strategy} }
  - { name: join, type: deferred_convergence, handler: { callable: work }, dependencies: [worker], retry: { backoff: none } }
`);
  const registry = new TemplateRegistry(database.pool);
  const compiled = compileTemplate(source, { environment: "test" });
  const template = await registry.register(compiled, { multiplier: 2, jitter: 0 });
  const host = new SqlHost(database.pool);
  host.templateId = template.templateId;
  host.namespaceId = template.namespaceId;
  await host.join(["work"]);
  const result: JsonValue = {
    batch_processing_outcome: {
      type: "create_batches",
      worker_template_name: "worker",
      worker_count: count,
      total_items: count,
      cursor_configs: Array.from({ length: count }, (_, n) => ({
        batch_id: String(n),
        start_cursor: n,
        end_cursor: n + 1,
        batch_size: 1,
      })),
    },
  };
  const planned = planFor(template, 0, result, planLimits(defaultConfig()));
  if (planned.kind !== "expand") throw new Error(`the plan is ${planned.kind}`);
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const expanded = await host.tick(created.claims, { plan: JSON.parse(encodePlan(planned.plan)) });
  return { host, taskId, held: [...expanded.claims] };
}

/** Workers that hold a lane: on their way through the pipeline, or between two attempts. */
async function occupied(taskId: bigint): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::integer as n from tasker_core.steps where step_id >> 20 = $1 and name is not null
     and state not in ('pending', 'complete', 'error', 'cancelled', 'resolved_manually')`,
    [taskId.toString()],
  );
  return rows[0]?.n ?? -1;
}

async function idsIn(taskId: bigint, states: readonly string[]): Promise<bigint[]> {
  const { rows } = await database.pool.query<{ step_id: bigint }>(
    "select step_id from tasker_core.steps where step_id >> 20 = $1 and state::text = any($2) order by 1",
    [taskId.toString(), states],
  );
  return rows.map((row) => row.step_id);
}

test("each worker that ends lets exactly one more begin, and the join runs last", async () => {
  const { host, taskId, held } = await batch(7, 3, "continue_on_failure");
  expect(held.map(({ stepId }) => Number(stepId & 0xfffffn))).toEqual([3, 4, 5]);
  const begun: number[] = [];
  for (let next = held.shift(); next !== undefined; next = held.shift()) {
    const { claims } = await host.tick([next]);
    begun.push(claims.length);
    held.push(...claims);
  }
  expect(begun).toEqual([1, 1, 1, 1, 0, 0, 1, 0]);
  expect(await host.taskState(taskId)).toBe("complete");
});

test("waiting for a turn is no dependency: readers see it nowhere but in `ready_for_execution`", async () => {
  const { taskId } = await batch(2, 1, "isolate");
  const { rows } = await database.pool.query(
    `select x.name, x.current_state, x.dependencies_satisfied, x.ready_for_execution, x.total_parents
     from tasker.tasks t, tasker.get_step_readiness_status(t.task_uuid) x
     where t.task_id = $1 and x.name like 'worker%' order by 1`,
    [taskId.toString()],
  );
  expect(rows.map((row) => Object.values(row))).toEqual([
    ["worker_0", "in_progress", true, false, 1],
    ["worker_1", "pending", true, false, 1],
  ]);
  const edges = await database.pool.query(
    `select e.name, count(*)::integer as n from tasker.workflow_step_edges e
     join tasker.workflow_steps s on s.workflow_step_uuid = e.from_step_uuid
     where s.step_id >> 20 = $1 group by 1 order by 1`,
    [taskId.toString()],
  );
  expect(edges.rows).toEqual([
    { name: "batch_dependency", n: 2 },
    { name: "worker_to_convergence", n: 2 },
  ]);
  const ancestors = await database.pool.query(
    `select a.ancestor_id & 1048575 as ordinal from tasker_core.load_dynamic_ancestors(array[($1::bigint << 20) + 4]) a`,
    [taskId.toString()],
  );
  expect(ancestors.rows).toEqual([{ ordinal: 0n }]);
});

const command = fc.record({
  act: fc.constantFrom(
    "complete",
    "complete",
    "fail",
    "retry",
    "timers",
    "queue",
    "resolve",
    "reset",
  ),
  pick: fc.nat(),
});

test("random programs: never more than `parallelism` at once, and every batch comes to its end", async () => {
  const kinds = fc.constantFrom<Strategy>("continue_on_failure", "isolate", "fail_fast");
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 4 }),
      kinds,
      fc.array(command, { maxLength: 25 }),
      async (count, parallelism, strategy, program) => {
        const { host, taskId, held } = await batch(count, parallelism, strategy);
        let resets = 0;
        const take = (pick: number) => held.splice(pick % Math.max(1, held.length), 1);
        const settle = async (claims: ClaimedStep[], verdict: 0 | 1 | 2) => {
          const body = `{"success":${verdict === 0}}`;
          held.push(...(await host.tick(claims, { verdict, body, free: 1 })).claims);
        };
        for (const { act, pick } of program) {
          if (act === "complete") await settle(take(pick), 0);
          else if (act === "fail") await settle(take(pick), 2);
          else if (act === "retry") await settle(take(pick), 1);
          else if (act === "timers") held.push(...(await host.tick([], { timerLimit: 9 })).claims);
          else if (act === "queue") held.push(...(await host.claim({ limit: 2 })).claims);
          else {
            const failed = await idsIn(taskId, ["error"]);
            const stepId = failed[pick % Math.max(1, failed.length)];
            if (stepId === undefined) continue;
            if (act === "resolve") await resolveStepManually(database.pool, { ...NOTE, stepId });
            else if (
              (await resetStepForRetry(database.pool, { ...NOTE, stepId })).outcome === "done"
            ) {
              resets += 1;
            }
          }
          // A worker that an operator resets runs on top of the bound.
          expect(await occupied(taskId)).toBeLessThanOrEqual(parallelism + resets);
        }
        for (let round = 0; round < 60; round += 1) {
          for (const stepId of await idsIn(taskId, ["error"])) {
            await resolveStepManually(database.pool, { ...NOTE, stepId });
          }
          held.push(...(await host.tick([], { timerLimit: 9 })).claims);
          held.push(...(await host.claim()).claims);
          const ended = held.splice(0);
          if (ended.length > 0) held.push(...(await host.tick(ended)).claims);
          if ((await host.taskState(taskId)) === "complete") break;
          for (const stepId of await idsIn(taskId, ["cancelled"])) {
            await resolveStepManually(database.pool, { ...NOTE, stepId });
          }
        }
        expect(await host.taskState(taskId)).toBe("complete");
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
