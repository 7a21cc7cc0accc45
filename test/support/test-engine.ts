import { fileURLToPath } from "node:url";
import type { CollectedEvents, StepHandlerClass } from "@tasker-core/sdk/host";
import { HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
import { Engine, type EngineOptions, type EngineRole } from "../../core/src/bootstrap.js";
import { type Config, defaultConfig } from "../../core/src/config/index.js";
import type { TaskTemplate } from "../../core/src/model/index.js";
import { createLogger, type Logger } from "../../core/src/observability/index.js";
import { parseTemplate } from "../../core/src/templates/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import { joinOptions } from "../../core/src/worker/join-options.js";
import { nativeLibraries } from "../../core/src/worker/native-libraries.js";

export const REFERENCE_HANDLERS = {
  python: fileURLToPath(
    new URL("../../python-bridge/examples/reference_handlers", import.meta.url),
  ),
  ruby: fileURLToPath(new URL("../../ruby-bridge/examples/reference_handlers", import.meta.url)),
} as const;

export interface TestStep {
  readonly name: string;
  readonly callable: string;
  readonly dependencies?: readonly string[];
  readonly retry?: Readonly<Record<string, unknown>>;
  readonly timeout_seconds?: number;
}

export interface TestEngineOptions {
  readonly databaseUrl: string;
  /** Templates by name, all in namespace `tests`, version 1.0.0, always_unique. */
  readonly templates: Readonly<Record<string, readonly TestStep[]>>;
  /** Templates beyond the simple ones. */
  readonly parsedTemplates?: readonly TaskTemplate[];
  readonly handlers?: Readonly<Record<string, StepHandlerClass>>;
  readonly events?: Partial<CollectedEvents>;
  /** Tasks that the handlers' files define in code. */
  readonly codeTemplates?: EngineOptions["codeTemplates"];
  readonly languages?: readonly (keyof typeof REFERENCE_HANDLERS)[];
  /** Folders of handlers instead of the reference handlers, by language. */
  readonly handlerFolders?: Partial<Record<keyof typeof REFERENCE_HANDLERS, string>>;
  readonly configure?: (config: Config) => void;
  readonly role?: EngineRole;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Where `worker.join` is read relative to; only needed when `configure` gives it addresses. */
  readonly workingDirectory?: string;
}

export interface StepReading {
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  readonly results: {
    readonly success: boolean;
    readonly result: unknown;
    readonly error: {
      readonly message: string;
      readonly error_type: string;
      readonly retryable: boolean;
    } | null;
  } | null;
}

/** A fused engine with short waits, and what tests ask of it. */
export class TestEngine {
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Creates a task, waits until it rests, and reads its steps. */
  async run(
    name: string,
    context: unknown = {},
    timeoutMs = 20_000,
  ): Promise<{ taskUuid: string; state: string; steps: StepReading[] }> {
    const task = await this.create(name, context);
    const state = await this.engine.waitForTask(task, AbortSignal.timeout(timeoutMs));
    return { taskUuid: task.taskUuid, state, steps: await this.steps(task.taskUuid) };
  }

  async create(name: string, context: unknown = {}, idempotencyKey?: string) {
    return await this.engine.createTask({
      namespace: "tests",
      name,
      version: "1.0.0",
      context,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
  }

  async steps(taskUuid: string): Promise<StepReading[]> {
    const { rows } = await this.engine.pool.query<{
      name: string;
      state: string;
      attempts: number;
      results: string | null;
    }>(
      "select name, state, attempts, results from tasker.workflow_steps where task_uuid = $1 order by step_id",
      [taskUuid],
    );
    return rows.map((row) => ({
      ...row,
      results: row.results === null ? null : JSON.parse(row.results),
    }));
  }

  /** The process ids of a language's handler processes. */
  pids(language: string): number[] {
    const pool = this.engine.worker.languages.find((candidate) => candidate.language === language);
    return pool?.supervisor?.metrics().processes.map((process) => process.pid) ?? [];
  }
}

export async function startTestEngine(options: TestEngineOptions): Promise<TestEngine> {
  const config = defaultConfig();
  config.lease.lease_seconds = 2;
  config.lease.handler_wait_seconds = 0;
  // A thread that loads sources costs a good part of a second of CPU; its own test has it.
  config.lease.guard_thread = false;
  config.common.backoff.jitter_enabled = false;
  options.configure?.(config);
  // Its own: the chain of the process would let every engine of a test run every handler.
  const registry = new HandlerRegistry(ResolverChain.standard());
  for (const [name, handler] of Object.entries(options.handlers ?? {}))
    registry.register(name, handler);
  const languages = options.languages ?? [];
  const folders = { ...REFERENCE_HANDLERS, ...options.handlerFolders };
  const engine = new Engine({
    databaseUrl: options.databaseUrl,
    join: await joinOptions(config, options.workingDirectory ?? process.cwd()),
    ...(options.role === undefined ? {} : { role: options.role }),
    config,
    logger: options.logger ?? createLogger({ level: "silent" }),
    templates: [
      ...Object.entries(options.templates).map(([name, steps]) => testTemplate(name, steps)),
      ...(options.parsedTemplates ?? []),
    ],
    handlers: registry,
    ...(options.events === undefined ? {} : { events: options.events }),
    ...(options.codeTemplates === undefined ? {} : { codeTemplates: options.codeTemplates }),
    bridges: [
      ...(await bridgeLanguages({
        config,
        paths: {
          python: languages.includes("python") ? [folders.python] : [],
          ruby: languages.includes("ruby") ? [folders.ruby] : [],
        },
        env: process.env,
        workingDirectory: process.cwd(),
      })),
      ...(await nativeLibraries(config)),
    ],
  });
  await engine.start();
  return new TestEngine(engine);
}

export function testTemplate(name: string, steps: readonly TestStep[]) {
  const text = JSON.stringify({
    name,
    namespace_name: "tests",
    version: "1.0.0",
    identity_strategy: "always_unique",
    steps: steps.map(({ callable, ...step }) => ({ ...step, handler: { callable } })),
  });
  return yamlTemplate(text);
}

export function yamlTemplate(text: string): TaskTemplate {
  const parsed = parseTemplate(text, "test.yaml");
  if (parsed.template === null) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.template;
}
