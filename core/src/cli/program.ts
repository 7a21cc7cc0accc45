import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { LogLevel } from "../observability/index.js";
import type { CommandContext, GlobalOptions } from "./command-context.js";
import { describeError } from "./describe-error.js";
import { EXIT } from "./exit-codes.js";
import { Output } from "./output.js";
import { packageVersion } from "./version.js";

// Written out: the logger's own list would load the logger.
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "silent"];

/** A command: prints its answer and returns the exit code, or throws. */
type CommandFunction<Options> = (
  context: CommandContext,
  options: Options,
  args: readonly string[],
) => Promise<number>;

/**
 * Runs one command line. Command modules are imported when they are needed: `--help` is answered without the engine.
 * @returns the exit code; everything has been printed
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  const output = new Output({
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isJson: argv.includes("--json"),
  });
  let exitCode: number = EXIT.ok;
  const program = buildProgram(output, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return commanderExit(error, output);
    const described = describeError(error);
    output.error(described, error);
    return described.exitCode;
  }
}

function buildProgram(output: Output, exit: (code: number) => void): Command {
  const program = new Command("tasker")
    .description("Workflows whose steps run in TypeScript, Python and Ruby, on Postgres")
    .version(packageVersion(), "--version")
    .option(
      "-c, --config <file>",
      "configuration (TOML); default: TASKER_CONFIG_PATH, config/tasker",
    )
    .option("--json", "the answer as JSON on stdout, and nothing else there")
    .addOption(new Option("--log-level <level>", "what is logged on stderr").choices(LOG_LEVELS))
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.raw(text),
      // In JSON mode the message comes as an error object.
      writeErr: (text) => {
        if (!output.isJson) output.note(text.trimEnd());
      },
    })
    .showHelpAfterError("(add --help for what is possible)");

  const action =
    <Options>(load: () => Promise<CommandFunction<Options>>) =>
    async (...given: unknown[]): Promise<void> => {
      // commander passes the arguments, then the options, then the command.
      const command = given.at(-1) as Command;
      const run = await load();
      const global = command.optsWithGlobals<GlobalOptions & Options>();
      exit(await run(contextOf(output, global), global, command.args));
    };

  const host = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("-t, --templates <path>", "template file or folder; may be repeated", collect, []);
  withJoin(host("dev", "database, orchestrator and workers in one process, until Ctrl-C"))
    .option("--no-watch", "do not take up changed handlers and templates")
    .action(action(async () => (await import("./commands/dev.js")).dev));
  host("server", "settle results and create tasks; any number of them on one database").action(
    action(async () => (await import("./commands/server.js")).server),
  );
  withJoin(
    host("worker", "run steps and hand their results to the servers; any number of them"),
  ).action(action(async () => (await import("./commands/worker.js")).worker));

  const run = program
    .command("run")
    .description("create a task from a template file, and with --wait see it through")
    .argument("<template>", "template file (YAML)")
    .option("-i, --input <json>", "the task's context: JSON, @file, or - for stdin", "{}")
    .option("-e, --each", "the input is an array: one task per element")
    .option("-w, --wait", "run the steps here and show them; exit code 1 when the task fails")
    .option("--timeout <seconds>", "with --wait: give up waiting after this long", positive)
    .option("--idempotency-key <key>", "the same key creates the task once; default: a new one");
  withHandlers(run).action(action(async () => (await import("./commands/run.js")).run));

  const task = program.command("task").description("look at tasks, and act on them");
  task
    .command("get")
    .description("a task with its steps, attempts and errors")
    .argument("<uuid>", "the task's id")
    .action(action(async () => (await import("./commands/task-get.js")).taskGet));
  task
    .command("list")
    .description("tasks, newest first")
    .option("-n, --namespace <name>", "of this namespace")
    .option("-s, --status <state>", "in this state, such as complete or blocked_by_failures")
    .option("-l, --limit <count>", "at most this many", positiveInteger, 20)
    .action(action(async () => (await import("./commands/task-list.js")).taskList));
  task
    .command("explain")
    .description("why a task is where it is, in words, and what can be done about it")
    .argument("<uuid>", "the task's id")
    .action(action(async () => (await import("./commands/task-explain.js")).taskExplain));
  task
    .command("cancel")
    .description("cancel a task; handlers that run are told to stop")
    .argument("<uuid>", "the task's id")
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --cancelled-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("./commands/task-cancel.js")).taskCancel));
  onStep(task, "reset-step", "run a failed step again, with its attempts counted anew")
    .requiredOption("-r, --reason <text>", "kept with the action")
    .option("-b, --reset-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("./commands/task-reset-step.js")).taskResetStep));
  onStep(task, "resolve-step", "declare a step done, whatever its state; its dependents go on")
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --resolved-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("./commands/task-resolve-step.js")).taskResolveStep));
  onStep(task, "complete-step", "complete a step with a result of yours, whatever its state")
    .requiredOption("--result <json>", "what dependents are to see")
    .option("--metadata <json>", "kept with the result")
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --completed-by <name>", "who acts; default: cli-operator")
    .action(
      action(async () => (await import("./commands/task-complete-step.js")).taskCompleteStep),
    );

  const template = program.command("template").description("check and draw templates");
  template
    .command("validate")
    .description("list everything that is wrong, as file:line:column: message")
    .argument("<files...>", "template files or folders")
    .option("--strict", "unknown keys and other warnings are errors")
    .action(action(async () => (await import("./commands/template-validate.js")).templateValidate));
  template
    .command("graph")
    .description("the steps as a Mermaid flowchart")
    .argument("<file>", "template file")
    .option("-o, --output <file>", "write to this file instead of stdout")
    .action(action(async () => (await import("./commands/template-graph.js")).templateGraph));

  const bridge = program.command("bridge").description("the protocol of handler processes");
  bridge
    .command("verify")
    .description("hold a handler process against the protocol; exit code 1 when it breaks a rule")
    .argument("<command...>", "how it is started, after --")
    .option("-r, --rule <id>", "only this rule; may be repeated", collect, [])
    .option("--strict", "advice counts like any other rule")
    .option("--patience <seconds>", "how long an answer may take that comes at once", positive, 5)
    .action(action(async () => (await import("./commands/bridge-verify.js")).bridgeVerify));

  const db = program.command("db").description("the database schema");
  db.command("migrate")
    .description("bring the schema up to date")
    .action(action(async () => (await import("./commands/db-migrate.js")).dbMigrate));
  db.command("status")
    .description("which migrations are applied, and which are missing; exit code 1 when some are")
    .action(action(async () => (await import("./commands/db-status.js")).dbStatus));
  return program;
}

function onStep(task: Command, name: string, description: string): Command {
  return task
    .command(name)
    .description(description)
    .argument("<task>", "the task's id")
    .argument("<step>", "the step's id, or its name in the task");
}

function withHandlers(command: Command): Command {
  return command
    .option(
      "--handlers <path>",
      "handler file or folder, language by its files; may be repeated",
      collect,
      [],
    )
    .option("--ts <path>", "TypeScript handlers; may be repeated", collect, [])
    .option("--python <path>", "Python handlers; may be repeated", collect, [])
    .option("--ruby <path>", "Ruby handlers; may be repeated", collect, []);
}

function withJoin(command: Command): Command {
  return withHandlers(command)
    .option(
      "--join <address>",
      "let handler processes join here: unix:/path or tcp:127.0.0.1:port; may be repeated",
      collect,
      [],
    )
    .option("--join-token <file>", "file with the token that joining processes have to know");
}

function contextOf(output: Output, global: GlobalOptions): CommandContext {
  return {
    global,
    output,
    env: process.env,
    workingDirectory: process.cwd(),
    stdin: process.stdin,
    writeLog: (line) => process.stderr.write(line),
    isStderrTty: process.stderr.isTTY === true,
  };
}

/** Help and version are answers; everything else is a command line that cannot be used, already explained. */
function commanderExit(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return EXIT.ok;
  if (output.isJson) {
    const message = error.message.replace(/^error: /, "");
    output.json({ error: { code: "USAGE", message } });
  }
  return EXIT.usage;
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 1_000_000) {
    throw new InvalidArgumentError("Expected a number of seconds above 0.");
  }
  return value;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) {
    throw new InvalidArgumentError("Expected a whole number from 1 to 1000.");
  }
  return value;
}
