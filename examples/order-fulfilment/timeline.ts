import type { Pool } from "../../core/src/db/index.js";
import type { TaskTemplate } from "../../core/src/model/index.js";

/** One try of a step, in milliseconds since the task was created. */
export interface Attempt {
  readonly step: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly success: boolean;
}

const BAR_WIDTH = 34;
const LANGUAGES: Readonly<Record<string, string>> = {
  typescript: "TypeScript",
  python: "Python",
  ruby: "Ruby",
};

/** Every try of a task's steps, by start. */
export async function readAttempts(pool: Pool, taskUuid: string): Promise<Attempt[]> {
  const { rows } = await pool.query<{ name: string; end_ms: number; ms: number; success: boolean }>(
    `select s.name, r.execution_ms as ms, r.success,
       extract(epoch from r.recorded_at - t.created_at)::float8 * 1000 as end_ms
     from tasker_core.task_requests t
     join tasker.workflow_steps s on s.task_uuid = t.task_uuid
     join tasker_core.step_results r on r.step_id = s.step_id
     where t.task_uuid = $1 order by s.step_id, r.token`,
    [taskUuid],
  );
  return rows.map(({ name, end_ms, ms, success }) => ({
    step: name,
    startMs: Math.max(0, end_ms - ms),
    endMs: end_ms,
    success,
  }));
}

/** The graph with each step's language and its tries on one time line; at most 80 columns. */
export function drawTimeline(
  template: TaskTemplate,
  attempts: readonly Attempt[],
  languageOf: (callable: string) => string,
): string {
  const totalMs = Math.max(1, ...attempts.map(({ endMs }) => endMs));
  const lines = template.steps.map((step) => {
    const own = attempts.filter((attempt) => attempt.step === step.name);
    const ms = own.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    const tries = own.length > 1 ? `  ${own.length} tries` : "";
    return [
      `  ${step.name.padEnd(18)}`,
      languageOf(step.handler.callable).padEnd(11),
      drawBar(own, totalMs),
      `${Math.round(ms)} ms`.padStart(7),
      tries,
    ].join("");
  });
  return lines.join("\n");
}

export function languageName(pool: string | undefined): string {
  return LANGUAGES[pool ?? ""] ?? "nobody";
}

function drawBar(attempts: readonly Attempt[], totalMs: number): string {
  const cells = Array.from({ length: BAR_WIDTH }, () => "·");
  for (const { startMs, endMs, success } of attempts) {
    const first = Math.min(BAR_WIDTH - 1, Math.floor((startMs / totalMs) * BAR_WIDTH));
    const last = Math.min(BAR_WIDTH - 1, Math.floor((endMs / totalMs) * BAR_WIDTH));
    for (let cell = first; cell <= last; cell += 1) cells[cell] = success ? "█" : "░";
  }
  return cells.join("");
}
