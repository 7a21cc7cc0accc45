import { afterEach, expect, test } from "vitest";
import type { ClaimedStep } from "../../../core/src/db/functions/index.js";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { encodePlan, planFor } from "../../../core/src/lifecycle/plans/index.js";
import type { RuntimeTemplate } from "../../../core/src/lifecycle/runtime-template.js";
import { TemplateRegistry } from "../../../core/src/lifecycle/template-registry.js";
import { compileTemplate } from "../../../core/src/model/index.js";
import { batches, choose, LIMITS } from "../../../core/test/lifecycle/plans/support.js";
import { template } from "../../../core/test/model/builders.js";
import { readRules, type SegmentationCase, stepsOf } from "../../conformance/rules/load.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

/** Every row of segmentation.json in the database: the steps that exist, and the edges into them. */
const database = useTestDatabase();
afterEach(() => assertIntegrity(database.pool));

const { cases } = readRules<{ cases: SegmentationCase[] }>("segmentation");

async function begin(lines: readonly string[]) {
  const source = template(stepsOf(lines), {
    name: `t_${newUuid().slice(-8)}`,
    identity_strategy: "always_unique",
  });
  const registry = new TemplateRegistry(database.pool);
  const compiled = compileTemplate(source, { environment: "test" });
  const runtime = await registry.register(compiled, { multiplier: 2, jitter: 0 });
  const host = new SqlHost(database.pool);
  host.templateId = runtime.templateId;
  host.namespaceId = runtime.namespaceId;
  await host.join(runtime.steps.map((one) => one.callable));
  const created = await host.create(1);
  return { runtime, host, taskId: created.created[0]?.taskId as bigint, claims: created.claims };
}

async function stepNames(taskId: bigint): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    "select name from tasker.workflow_steps where step_id >> 20 = $1 order by step_id",
    [taskId.toString()],
  );
  return rows.map((row) => row.name);
}

/** `a > b` per edge into one of `names`; another name than `provides` in brackets. */
async function edgesInto(taskId: bigint, names: readonly string[]): Promise<string[]> {
  const { rows } = await database.pool.query<{ edge: string }>(
    `select f.name || ' > ' || t.name || case e.name when 'provides' then '' else ' (' || e.name || ')' end as edge
     from tasker.workflow_step_edges e
     join tasker.workflow_steps f on f.workflow_step_uuid = e.from_step_uuid
     join tasker.workflow_steps t on t.workflow_step_uuid = e.to_step_uuid
     where t.step_id >> 20 = $1 and t.name = any($2) order by 1`,
    [taskId.toString(), names],
  );
  return rows.map((row) => row.edge);
}

function planText(runtime: RuntimeTemplate, ordinal: number, one: SegmentationCase): unknown {
  const name = runtime.steps[ordinal]?.name ?? "";
  const chosen = name === one.completes ? one.choose : one.before?.[name];
  const value = chosen === undefined ? batches("work", ...(one.batches ?? [])) : choose(...chosen);
  const planned = planFor(runtime, ordinal, value, LIMITS);
  if (planned.kind !== "expand") throw new Error(`${name}: ${JSON.stringify(planned)}`);
  return JSON.parse(encodePlan(planned.plan));
}

test.each(cases)("$name", async (one) => {
  const { runtime, host, taskId, claims } = await begin(one.steps);
  if (one.initial !== undefined) {
    // The stored order is topological, the table's is the file's.
    expect((await stepNames(taskId)).toSorted()).toEqual(one.initial.toSorted());
    const edges = stepsOf(one.steps)
      .filter(({ name }) => one.initial?.includes(name))
      .flatMap(({ name, dependencies }) =>
        dependencies
          .filter((parent) => one.initial?.includes(parent))
          .map((parent) => `${parent} > ${name}`),
      );
    expect(await edgesInto(taskId, one.initial)).toEqual(edges.toSorted());
    return;
  }
  const held = [...claims];
  const take = (isWanted: (name: string) => boolean): ClaimedStep | undefined => {
    const found = held.findIndex((claim) =>
      isWanted(runtime.steps[claim.templateOrdinal]?.name ?? ""),
    );
    return found < 0 ? undefined : held.splice(found, 1)[0];
  };
  for (let deciding = take((name) => name === one.completes); ; ) {
    if (deciding !== undefined) {
      const existed = await stepNames(taskId);
      await host.tick([deciding], { plan: planText(runtime, deciding.templateOrdinal, one) });
      const made = (await stepNames(taskId)).filter((name) => !existed.includes(name));
      expect(made.toSorted()).toEqual(one.created?.toSorted());
      expect(await edgesInto(taskId, made)).toEqual(one.edges?.toSorted());
      return;
    }
    const next = held.shift();
    if (next === undefined) throw new Error(`${one.completes} never ran`);
    const name = runtime.steps[next.templateOrdinal]?.name ?? "";
    const plan =
      one.before?.[name] === undefined
        ? {}
        : { plan: planText(runtime, next.templateOrdinal, one) };
    held.push(...(await host.tick([next], plan)).claims);
    deciding = take((candidate) => candidate === one.completes);
  }
});
