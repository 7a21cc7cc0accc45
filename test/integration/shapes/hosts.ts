import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { collectEvents, collectHandlers } from "@tasker-core/sdk/host";
import type { Config } from "../../../core/src/config/index.js";
import { type CliProcess, type CliProject, createCliProject } from "../../e2e/cli-support.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";
import * as classHandlers from "./handlers/typescript/class-handlers.js";
import * as eventLog from "./handlers/typescript/event-log.js";
import * as functionalHandlers from "./handlers/typescript/functional-handlers.js";
import { MAX_DECISION_DEPTH } from "./tables/decisions.js";

const HANDLERS = new URL("./handlers/", import.meta.url).pathname;

/** The hosts under test, and the faults that a test may cause. */
export interface ShapeHosts {
  /** Creates tasks and acts on them. */
  readonly front: TestEngine;
  /** Kills every Python and Ruby handler process; their host starts others. */
  killHandlerProcesses(): Promise<void>;
  /** Kills the process that runs the steps, and starts another. Only where it is not the test's own process. */
  readonly replaceWorker?: () => Promise<void>;
  stop(): Promise<void>;
}

export interface ShapeHostsOptions {
  readonly databaseUrl: string;
  /** The texts of their files. */
  readonly templates: readonly string[];
}

/** Orchestrator and worker in this process. */
export async function startFused({
  databaseUrl,
  templates,
}: ShapeHostsOptions): Promise<ShapeHosts> {
  const classes = [classHandlers, functionalHandlers].flatMap((file) => collectHandlers(file));
  const front = await startTestEngine({
    databaseUrl,
    templates: {},
    parsedTemplates: templates.map(yamlTemplate),
    handlers: Object.fromEntries(classes.map((handler) => [handler.handlerName, handler])),
    events: collectEvents(eventLog),
    languages: ["python", "ruby"],
    handlerFolders: { python: `${HANDLERS}python`, ruby: `${HANDLERS}ruby` },
    configure,
  });
  return {
    front,
    killHandlerProcesses: async () => {
      for (const pid of [...front.pids("python"), ...front.pids("ruby")]) {
        process.kill(pid, "SIGKILL");
      }
    },
    stop: () => front.engine.stop(),
  };
}

/** A server in this process, and `tasker worker` as a process of its own. */
export async function startSplit({
  databaseUrl,
  templates,
}: ShapeHostsOptions): Promise<ShapeHosts> {
  const front = await startTestEngine({
    databaseUrl,
    templates: {},
    parsedTemplates: templates.map(yamlTemplate),
    role: "server",
    configure,
  });
  const project = await createCliProject(() => databaseUrl);
  // One template tells the worker its namespace; the others it finds in the database, as the server registered them.
  const [known = ""] = templates;
  await project.write({ "tasker.toml": WORKER_TOML, "config/tasks/known.yaml": known });
  const stopFront = async () => {
    await front.engine.stop();
    await project.remove();
  };
  let worker = await startWorker(project).catch(async (error: unknown) => {
    await stopFront();
    throw error;
  });
  return {
    front,
    killHandlerProcesses: async () => {
      for (const pid of await childrenOf(worker.child.pid)) process.kill(pid, "SIGKILL");
    },
    replaceWorker: async () => {
      worker.child.kill("SIGKILL");
      await worker.result;
      worker = await startWorker(project);
    },
    stop: async () => {
      worker.child.kill("SIGTERM");
      const { code, stderr } = await worker.result;
      await stopFront();
      if (code !== 0) throw new Error(`the worker ended with ${code}: ${stderr}`);
    },
  };
}

const WORKER_TOML = `
[lease]
lease_seconds = 2
handler_wait_seconds = 0
[orchestration.decision_points]
max_decision_depth = ${MAX_DECISION_DEPTH}
`;

function configure(config: Config): void {
  config.orchestration.decision_points.max_decision_depth = MAX_DECISION_DEPTH;
  config.orchestration.event_systems.task_readiness.timing.fallback_polling_interval_seconds = 1;
}

async function startWorker(project: CliProject): Promise<CliProcess> {
  const worker = project.start([
    ...["worker", "--json", "--config", "tasker.toml", "--handlers", HANDLERS],
  ]);
  await waitFor(() => worker.stdout().includes('"ready"') || worker.child.exitCode !== null, {
    timeoutMs: 60_000,
    describe: () => `the worker to start: ${worker.stdout()}${worker.stderr()}`,
  });
  if (worker.child.exitCode !== null) throw new Error(`the worker ended: ${worker.stderr()}`);
  return worker;
}

/** The handler processes: whatever the worker has started. */
async function childrenOf(parent: number | undefined): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,ppid=,args="]);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, ...args]) => Number(ppid) === parent && !args.join(" ").includes("esbuild"))
    .map(([pid]) => Number(pid));
}
