import type { Command } from "commander";
import { type Bind, collect, group, seconds } from "./command-line.js";

/** Commands that run the engine: dev, server, worker, run, and bridge. */
export function addRunCommands(program: Command, action: Bind): void {
  const host = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("-t, --templates <path>", "template file or folder; may be repeated", collect, []);
  withJoin(host("dev", "database, orchestrator and workers in one process, until Ctrl-C"))
    .option("--no-watch", "do not take up changed handlers and templates")
    .action(action(async () => (await import("../commands/dev.js")).dev));
  host("server", "settle results and create tasks; any number of them on one database").action(
    action(async () => (await import("../commands/server.js")).server),
  );
  const worker = withJoin(
    host("worker", "run steps and hand their results to the servers; any number of them"),
  ).action(action(async () => (await import("../commands/worker.js")).worker));
  addWorkerQuestions(worker, action);

  const run = program
    .command("run")
    .description("create a task from a template file, and with --wait see it through")
    .argument("<template>", "template file (YAML)")
    .option("-i, --input <json>", "the task's context: JSON, @file, or - for stdin", "{}")
    .option("-e, --each", "the input is an array: one task per element")
    .option("-w, --wait", "run the steps here and show them; exit code 1 when the task fails")
    .option("--timeout <seconds>", "with --wait: give up waiting after this long", seconds)
    .option("--idempotency-key <key>", "the same key creates the task once; default: a new one");
  withHandlers(run).action(action(async () => (await import("../commands/run.js")).run));

  group(program, "bridge", "the protocol of handler processes")
    .command("verify")
    .description("hold a handler process against the protocol; exit code 1 when it breaks a rule")
    .argument("<command...>", "how it is started, after --")
    .option("-r, --rule <id>", "only this rule; may be repeated", collect, [])
    .option("--strict", "advice counts like any other rule")
    .option("--patience <seconds>", "how long an answer may take that comes at once", seconds, 5)
    .action(action(async () => (await import("../commands/bridge-verify.js")).bridgeVerify));
}

function addWorkerQuestions(worker: Command, action: Bind): void {
  worker
    .command("list")
    .description("workers that are alive, with what they run")
    .option("-n, --namespace <name>", "those that serve this namespace")
    .option("-a, --all", "those that stopped or fell silent too")
    .action(action(async () => (await import("../commands/worker-list.js")).workerList));
  worker
    .command("status")
    .description("one worker; exit code 1 unless it is alive")
    .argument("<id>", "its id or name")
    .action(action(async () => (await import("../commands/worker-list.js")).workerStatus));
  worker
    .command("health")
    .description("exit code 1 when a worker fell silent, or none is alive")
    .argument("[id]", "its id or name; default: all that have not stopped")
    .option("-a, --all", "those that stopped too")
    .action(action(async () => (await import("../commands/worker-list.js")).workerHealth));
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
