import { type Command, Option } from "commander";
import { type Bind, group, whole } from "./command-line.js";

const RESOLUTIONS = ["pending", "manually_resolved", "permanently_failed", "cancelled"];

/** Templates, dead letters, queues, servers. */
export function addLookCommands(program: Command, action: Bind): void {
  addTemplateCommands(program, action);
  const dlq = group(program, "dlq", "tasks that were given up and wait for somebody to look");
  dlq
    .command("list")
    .description("dead letters, newest first")
    .addOption(new Option("-s, --status <status>", "with this resolution").choices(RESOLUTIONS))
    .option("-l, --limit <count>", "at most this many", whole(1, 1000), 50)
    .option("-o, --offset <count>", "leave out so many", whole(0, 1_000_000_000), 0)
    .action(action(async () => (await import("../commands/dlq.js")).dlqList));
  dlq
    .command("get")
    .description("the latest dead letter of a task")
    .argument("<task>", "the task's id")
    .action(action(async () => (await import("../commands/dlq.js")).dlqGet));
  dlq
    .command("update")
    .description("note what became of an investigation; the task itself is not changed")
    .argument("<entry>", "the entry's id")
    .addOption(new Option("-s, --status <status>", "its resolution").choices(RESOLUTIONS))
    .option("-n, --notes <text>", "what was found")
    .option("-b, --resolved-by <name>", "who dealt with it")
    .action(action(async () => (await import("../commands/dlq.js")).dlqUpdate));
  dlq
    .command("stats")
    .description("dead letters by reason")
    .action(action(async () => (await import("../commands/dlq.js")).dlqStats));

  const queue = group(program, "queue", "the message queues");
  queue
    .command("list")
    .description("what waits in each queue, and for how long")
    .option("-n, --namespace <name>", "the queues of this namespace")
    .action(action(async () => (await import("../commands/queue.js")).queueList));
  queue
    .command("peek")
    .description("the oldest messages of a queue; nothing is taken")
    .argument("<queue>", "its name, as `queue list` shows it")
    .option("-l, --limit <count>", "at most this many", whole(1, 1000), 10)
    .action(action(async () => (await import("../commands/queue.js")).queuePeek));

  const system = group(program, "system", "the servers");
  system
    .command("health")
    .description("what the servers say of themselves; exit code 1 unless all are healthy")
    .option("-o, --orchestration", "the orchestration server only")
    .option("-w, --workers", "the worker server only")
    .action(action(async () => (await import("../commands/system.js")).systemHealth));
  system
    .command("info")
    .description("versions, and which servers this client speaks to")
    .action(action(async () => (await import("../commands/system.js")).systemInfo));
}

function addTemplateCommands(program: Command, action: Bind): void {
  const template = group(program, "template", "check, compare and draw templates");
  template
    .command("list")
    .description("templates that are registered")
    .option("-n, --namespace <name>", "of this namespace")
    .action(action(async () => (await import("../commands/template-list.js")).templateList));
  template
    .command("info")
    .description("a registered template with its steps")
    .argument("<name>", "namespace/name; without a namespace: default")
    .option("--template-version <version>", "its version", "1.0.0")
    .action(action(async () => (await import("../commands/template-list.js")).templateInfo));
  template
    .command("validate")
    .description("list everything that is wrong, as file:line:column: message")
    .argument("<files...>", "template files or folders")
    .option("--strict", "unknown keys and other warnings are errors")
    .action(
      action(async () => (await import("../commands/template-validate.js")).templateValidate),
    );
  for (const name of ["graph", "visualize"]) {
    template
      .command(name)
      .description("the steps as a Mermaid flowchart")
      .argument("<file>", "template file")
      .option("-o, --output <file>", "write to this file instead of stdout")
      .option("--graph-only", "accepted: there is nothing around the flowchart")
      .action(action(async () => (await import("../commands/template-graph.js")).templateGraph));
  }
  template
    .command("diff")
    .description("what differs in meaning between two templates; exit code 1 when something does")
    .argument("<before>", "template file")
    .argument("<after>", "template file")
    .action(action(async () => (await import("../commands/template-diff.js")).templateDiff));
}
