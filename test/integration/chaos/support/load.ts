import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { TestEngine } from "../../../support/test-engine.js";
import { waitFor } from "../../../support/wait-for.js";

/** Keeps so many tasks open until it is told to stop. */
export class Load {
  readonly #host: TestEngine;
  readonly #template: string;
  readonly #context: Readonly<Record<string, unknown>>;
  readonly #running: Promise<void>;
  readonly #unsubscribe: () => void;
  #created = 0;
  #rested = 0;
  #isStopped = false;

  constructor(
    host: TestEngine,
    template: string,
    context: Readonly<Record<string, unknown>>,
    open: number,
  ) {
    this.#host = host;
    this.#template = template;
    this.#context = context;
    this.#unsubscribe = host.engine.events.subscribe(["task.completed", "task.failed"], () => {
      this.#rested += 1;
    });
    this.#running = this.#keep(open);
  }

  get rested(): number {
    return this.#rested;
  }

  /** Creates no more, and waits until all that was created rests. Resolves with how many there were. */
  async finish(timeoutMs: number): Promise<number> {
    this.#isStopped = true;
    await this.#running;
    let open = -1;
    await waitFor(
      async () => {
        const { rows } = await this.#host.engine.pool.query<{ open: number }>(
          `select count(*)::int as open from tasker_core.tasks
           where state not in ('complete', 'error', 'blocked_by_failures')`,
        );
        open = rows[0]?.open ?? -1;
        return open === 0;
      },
      { timeoutMs, intervalMs: 50, describe: () => `every task to rest; ${open} are open` },
    );
    this.#unsubscribe();
    return this.#created;
  }

  async #keep(open: number): Promise<void> {
    while (!this.#isStopped) {
      const missing = open - (this.#created - this.#rested);
      await Promise.all(Array.from({ length: Math.max(0, missing) }, () => this.#create()));
      await sleep(5);
    }
  }

  async #create(): Promise<void> {
    this.#created += 1;
    await this.#host.create(this.#template, { ...this.#context, n: this.#created });
  }
}

/** The newest task, to tell those that come after it. */
export async function newestTask(host: TestEngine): Promise<bigint> {
  const { rows } = await host.engine.pool.query<{ newest: bigint }>(
    "select coalesce(max(task_id), 0)::bigint as newest from tasker_core.tasks",
  );
  return rows[0]?.newest ?? 0n;
}

/**
 * Every step of every task after the given one is complete after one attempt, was accepted exactly once, and has its own result.
 * @returns how many steps there are, and the deaths of the unluckiest of them
 */
export async function expectNothingLost(
  host: TestEngine,
  tasks: number,
  stepsPerTask: number,
  after: bigint = 0n,
): Promise<{ readonly steps: number; readonly mostDeaths: number }> {
  const { rows } = await host.engine.pool.query(
    `select count(distinct step_id >> 20)::int as tasks, count(*)::int as steps,
       count(*) filter (where state <> 'complete')::int as unfinished,
       count(*) filter (where state = 'complete' and successes = 0)::int as lost,
       count(*) filter (where successes > 1)::int as accepted_twice,
       count(*) filter (where attempts <> 1)::int as attempts_counted,
       count(*) filter (where is_wrong)::int as wrong
     from (
       select s.step_id, s.state, s.attempts, count(r.step_id) filter (where r.success) as successes,
         bool_or(r.success and (r.body -> 'result' ->> 'n') is distinct from (q.context::jsonb ->> 'n')) as is_wrong
       from tasker_core.steps s
         join tasker_core.task_requests q on q.task_id = s.step_id >> 20
         left join tasker_core.step_results r on r.step_id = s.step_id
       where s.step_id >> 20 > $1
       group by s.step_id, s.state, s.attempts
     ) x`,
    [after.toString()],
  );
  const steps = tasks * stepsPerTask;
  expect(rows).toEqual([
    { tasks, steps, unfinished: 0, lost: 0, accepted_twice: 0, attempts_counted: 0, wrong: 0 },
  ]);
  const { rows: deaths } = await host.engine.pool.query<{ most: number }>(
    "select coalesce(max(deaths), 0)::int as most from tasker_core.steps where step_id >> 20 > $1",
    [after.toString()],
  );
  return { steps, mostDeaths: deaths[0]?.most ?? 0 };
}
