import { defineHandler } from "@tasker-core/sdk";
import { HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
import pg from "pg";
import { Engine } from "../../core/src/bootstrap.js";
import { defaultConfig } from "../../core/src/config/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { parseTemplate } from "../../core/src/templates/index.js";
import { type Figure, quantile } from "../report.js";

export interface GrowthOptions {
  /** Two databases of one server; both are migrated, the second is filled. */
  readonly emptyUrl: string;
  readonly grownUrl: string;
  /** Finished tasks of four steps. */
  readonly finished: number;
  /** Steps that wait in a queue that this host does not serve. */
  readonly queued: number;
  readonly rounds: number;
  /** Tasks one after the other, per round and database. */
  readonly alone: number;
}

const CHUNK = 25_000;
const NEVER = new AbortController().signal;

/**
 * DATABASE section 6: does an engine get slower with what it has done? Linear tasks of four steps alone, in turns on an
 * empty and on a grown database.
 */
export async function measureGrowth(options: GrowthOptions): Promise<Figure[]> {
  const empty = await startEngine(options.emptyUrl);
  const grown = await startEngine(options.grownUrl);
  const p50s = { empty: [] as number[], grown: [] as number[], ratio: [] as number[] };
  try {
    for (const engine of [empty, grown]) await linear(engine, 50);
    await fill(options);
    for (const engine of [empty, grown]) await linear(engine, 50);
    for (let round = 0; round < options.rounds; round += 1) {
      const [before, after] = [
        await linear(empty, options.alone),
        await linear(grown, options.alone),
      ];
      p50s.empty.push(before);
      p50s.grown.push(after);
      p50s.ratio.push(after / before);
    }
  } finally {
    await Promise.all([empty.stop(), grown.stop()]);
  }
  return [
    { id: "growth.linear4.empty.p50_ms", unit: "ms", values: p50s.empty },
    { id: "growth.linear4.grown.p50_ms", unit: "ms", values: p50s.grown },
    {
      id: "growth.linear4.grown_to_empty",
      unit: "ratio",
      values: p50s.ratio,
      target: { op: "<=", value: 1.1 },
    },
  ];
}

/** The p50 of as many tasks, in milliseconds. */
async function linear(engine: Engine, tasks: number): Promise<number> {
  const latencies: number[] = [];
  for (let i = 0; i < tasks; i += 1) {
    const startedAt = performance.now();
    const task = await engine.createTask({
      namespace: "growth",
      name: "linear",
      version: "1.0.0",
      context: {},
    });
    const state = await engine.waitForTask(task, NEVER);
    if (state !== "complete") throw new Error(`task ${task.taskUuid} ended in ${state}`);
    latencies.push(performance.now() - startedAt);
  }
  return quantile(latencies, 0.5);
}

async function startEngine(databaseUrl: string): Promise<Engine> {
  const handlers = new HandlerRegistry(ResolverChain.standard());
  handlers.register(
    "growth.step",
    defineHandler("growth.step", {}, () => ({ ok: true })),
  );
  const config = defaultConfig();
  const engine = new Engine({
    databaseUrl,
    config,
    logger: createLogger({ level: "warn" }),
    templates: [template()],
    handlers,
    bridges: [],
    migrate: true,
  });
  await engine.start();
  return engine;
}

function template() {
  const names = ["one", "two", "three", "four"];
  const steps = names.map((name, i) => ({
    name,
    handler: { callable: "growth.step" },
    dependencies: names.slice(Math.max(0, i - 1), i),
  }));
  const text = JSON.stringify({
    name: "linear",
    namespace_name: "growth",
    version: "1.0.0",
    identity_strategy: "always_unique",
    steps,
  });
  const parsed = parseTemplate(text, "growth.json");
  if (parsed.template === null) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.template;
}

/** What a real history would have left behind, with the audit trail; written past the functions, in chunks. */
async function fill({ grownUrl, finished, queued }: GrowthOptions): Promise<void> {
  const client = new pg.Client({ connectionString: grownUrl });
  await client.connect();
  try {
    for (let done = 0; done < finished; done += CHUNK)
      await client.query(FINISHED, [Math.min(CHUNK, finished - done)]);
    // A namespace without a template: no host of this run serves it.
    await client.query(
      `with made as (
         insert into tasker_core.namespaces (namespace_uuid, name, created_at, updated_at)
         values (gen_random_uuid(), 'backlog', now(), now()) returning namespace_id)
       select tasker_core.create_namespace_queues(namespace_id, 'backlog') from made`,
    );
    for (let done = 0; done < queued; done += CHUNK)
      await client.query(QUEUED, [Math.min(CHUNK, queued - done)]);
    await client.query("analyze");
    // What was written above is not to be written out while the tasks are measured.
    await client.query("checkpoint");
  } finally {
    await client.end();
  }
}

const TASKS = `
  ids as (select nextval('tasker_core.task_id_seq') as task_id from generate_series(1, $1)),
  source as (
    select t.template_id, t.named_task_id from tasker_core.templates t
    join tasker_core.named_tasks n on n.named_task_id = t.named_task_id where n.name = 'linear'),
  requests as (
    insert into tasker_core.task_requests (task_id, task_uuid, named_task_id, correlation_id, priority, requested_at,
      created_at, initiator, source_system, reason, tags, context, identity_hash)
    select task_id, gen_random_uuid(), (select named_task_id from source), gen_random_uuid(), 0, now(), now(), 'growth',
      'bench', 'growth', '[]', '{}', 'growth ' || task_id from ids),
  identities as (
    insert into tasker_core.task_identities (identity_hash, task_id) select 'growth ' || task_id, task_id from ids)`;

const FINISHED = `with ${TASKS},
  tasks as (
    insert into tasker_core.tasks (task_id, template_id, state, n_total, n_complete, next_ordinal, state_since, completed_at)
    select task_id, (select template_id from source), 'complete', 4, 4, 4, now(), now() from ids),
  task_log as (
    insert into tasker_core.task_log (task_id, at, from_state, to_state)
    select task_id, now(), m.f, m.t from ids, (values (null::tasker_core.task_state, 'steps_in_process'::tasker_core.task_state),
      ('steps_in_process', 'complete')) m(f, t)),
  made as (
    insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies, attempts,
      max_attempts, retryable, lease_token, processed_at, created_at, updated_at)
    select (i.task_id << 20) + o, ts.template_step_id, 5, ts.callable_id, 'complete', 0, 1, 3, true, 1, now(), now(), now()
    from ids i, generate_series(0, 3) o
    join tasker_core.template_steps ts on ts.template_step_id = ((select template_id from source)::bigint << 20) + o
    returning step_id),
  step_log as (
    insert into tasker_core.step_log (step_id, at, move)
    select step_id, now(), m from made, unnest('{hand_off,succeed}'::tasker_core.step_move[]) m)
  insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, retryable, execution_ms, body)
  select step_id, 1, now(), 1, true, false, 1, '{"success":true,"result":{"ok":true}}' from made`;

const QUEUED = `with ${TASKS},
  backlog as (select tasker_core.queue_id(namespace_id, 0) as queue_id from tasker_core.namespaces where name = 'backlog'),
  tasks as (
    insert into tasker_core.tasks (task_id, template_id, state, n_total, n_pipeline, next_ordinal, state_since)
    select task_id, (select template_id from source), 'steps_in_process', 1, 1, 4, now() from ids),
  messages as (
    insert into pgmq.q_worker_backlog_queue (vt, message, headers)
    select now(), jsonb_build_object('task_uuid', gen_random_uuid(),
      'step_uuid', tasker_core.step_uuid(gen_random_uuid(), task_id << 20), 'correlation_id', gen_random_uuid()),
      '{"callable": 1}' from ids returning msg_id, tasker_core.step_id_in(message) as step_id)
  insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies, max_attempts,
    retryable, message_id, created_at, updated_at)
  select step_id, (select template_id from source)::bigint << 20, (select queue_id from backlog), 1, 'enqueued', 0, 3, true,
    msg_id, now(), now()
  from messages`;
