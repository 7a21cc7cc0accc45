import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../../../../core/src/bootstrap.js";
import { waitFor } from "../../../support/wait-for.js";
import { type Shape, templateName } from "../shape.js";
import type { ShapeWorld } from "../suite.js";
import { stepUuid } from "../trail.js";
import type { Voice } from "../voices.js";

/** One task that a test acts on. */
export interface Subject {
  readonly engine: Engine;
  readonly taskUuid: string;
  step(name: string): Promise<string>;
  /** Waits until the step is in this state. */
  until(step: string, state: string): Promise<void>;
  settled(): Promise<string>;
  steps(): Promise<Record<string, { state: string; attempts: number; result: unknown }>>;
}

export async function begin(
  world: ShapeWorld,
  shape: Shape,
  voice: Voice,
  input: Readonly<Record<string, unknown>>,
): Promise<Subject> {
  const { front } = world.hosts();
  const { pool } = world.database;
  const { taskUuid } = await front.create(templateName(shape, voice), input);
  const steps = async () =>
    Object.fromEntries(
      (await front.steps(taskUuid)).map(({ name, state, attempts, results }) => [
        name,
        { state, attempts, result: results?.result ?? null },
      ]),
    );
  return {
    engine: front.engine,
    taskUuid,
    step: (name) => stepUuid(pool, taskUuid, name),
    until: async (name, state) => {
      let seen = "";
      const reached = async () => {
        seen = (await steps())[name]?.state ?? "not made";
        return seen === state;
      };
      const describe = () => `${name} of ${taskUuid} to be ${state}; it is ${seen}`;
      await waitFor(reached, { timeoutMs: 30_000, describe });
    },
    settled: () => front.engine.waitForTask(taskUuid, AbortSignal.timeout(60_000)),
    steps,
  };
}

/** The folder in which sleeping handlers of one voice say that they began, and why they were asked to stop. */
export async function signsOf(world: ShapeWorld, name: string) {
  const folder = join(world.folder(), name);
  await mkdir(folder);
  return {
    folder,
    began: (step: string) => seen(folder, `${step}.started`),
    told: async (step: string) => {
      await seen(folder, `${step}.told`);
      const reason = () => readFile(join(folder, `${step}.told`), "utf8");
      return await waitFor(reason, { describe: `the reason that ${step} is given` });
    },
  };
}

async function seen(folder: string, file: string): Promise<void> {
  const isThere = async () => (await readdir(folder)).includes(file);
  await waitFor(isThere, { timeoutMs: 20_000, describe: `${file} in ${folder}` });
}
