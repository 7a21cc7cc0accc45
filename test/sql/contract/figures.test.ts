import { expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { LINEAR, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

test("counts, rates, slowest and summaries of one finished and one failed task", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  await host.finish(await host.create(1));
  const failing = await host.create(1);
  const body = '{"success":false,"error":{"error_type":"Broken","retryable":false}}';
  await host.tick(failing.claims, { verdict: 2, body });

  const counts = await database.pool.query(
    `select complete_tasks::int, blocked_by_failures_tasks::int, total_tasks::int, pending_steps::int,
       complete_steps::int, error_steps::int, total_steps::int from tasker.get_system_health_counts()`,
  );
  expect(Object.values(counts.rows[0] ?? {})).toEqual([1, 1, 2, 3, 4, 1, 8]);

  const metrics = await database.pool.query(
    `select active_tasks_count::int, task_throughput::int, completion_count::int, error_count::int,
       completion_rate::float, error_rate::float, system_health_score::float, step_throughput::int
     from tasker.get_analytics_metrics()`,
  );
  expect(Object.values(metrics.rows[0] ?? {})).toEqual([1, 2, 1, 1, 50, 50, 0.5, 4]);
  const future = await database.pool.query(
    "select step_throughput::int from tasker.get_analytics_metrics(now() + interval '1 hour')",
  );
  expect(future.rows).toEqual([{ step_throughput: 0 }]);

  const slowest = await database.pool.query(
    `select (select count(*)::int from tasker.get_slowest_steps()) as steps,
       (select count(*)::int from tasker.get_slowest_steps(null, 10, 'no such')) as elsewhere,
       (select count(*)::int from tasker.get_slowest_tasks()) as tasks,
       (select count(*)::int from tasker.get_slowest_tasks_aggregated(null, 10, 3)) as too_few`,
  );
  expect(slowest.rows).toEqual([{ steps: 4, elsewhere: 0, tasks: 1, too_few: 0 }]);
  const aggregated = await database.pool.query(
    `select execution_count::int, error_count::int, error_rate::float
     from tasker.get_slowest_steps_aggregated(null, 10, 2)`,
  );
  expect(aggregated.rows).toEqual([{ execution_count: 2, error_count: 1, error_rate: 0.5 }]);
  const tasks = await database.pool.query(
    `select execution_count::int, error_count::int, average_step_count::float
     from tasker.get_slowest_tasks_aggregated(null, 10, 2)`,
  );
  expect(tasks.rows).toEqual([{ execution_count: 2, error_count: 1, average_step_count: 4 }]);

  const summary = await database.pool.query(
    `select s #>> '{task,execution_status}' as status, s #>> '{steps,0,error}' as error,
       s #>> '{template,steps,1,dependencies}' as dependencies
     from tasker.tasks t, tasker.get_task_summary(t.task_uuid) s where not t.complete`,
  );
  expect(summary.rows).toEqual([
    {
      status: "blocked_by_failures",
      error: '{"retryable": false, "error_type": "Broken", "status_code": null}',
      dependencies: '["step_0"]',
    },
  ]);
  const others = await database.pool.query(
    `select (select count(*)::int from tasker.find_stuck_tasks(0)) as stuck,
       (select count(*)::int from tasker.find_stuck_tasks()) as not_yet,
       (select count(*)::int from tasker.named_tasks_named_steps) as pairs,
       (select count(*)::int from tasker.get_task_execution_contexts_batch(array(select task_uuid from tasker.tasks))) as contexts,
       (select count(*)::int from tasker.tasks t, tasker.tasker_resolve_dependencies(t.task_uuid)) as open,
       (select count(*)::int from tasker.tasks t, tasker.tasker_get_ready_steps('shapes', 'x', t.task_uuid)) as ready`,
  );
  expect(Object.values(others.rows[0] ?? {})).toEqual([1, 0, 4, 2, 4, 0]);
});
