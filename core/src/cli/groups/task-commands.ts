import type { Command } from "commander";
import { type Bind, group, seconds, whole } from "./command-line.js";

const TASK = ["<uuid>", "the task's id"] as const;

export function addTaskCommands(program: Command, action: Bind): void {
  const task = group(program, "task", "create tasks, look at them, and act on them");
  task
    .command("create")
    .description("create a task of a registered template")
    .requiredOption("--name <name>", "the template's name")
    .requiredOption("-i, --input <json>", "the task's context: JSON, @file, or - for stdin")
    .option("-n, --namespace <name>", "the template's namespace", "default")
    .option("-v, --version <version>", "the template's version", "1.0.0")
    .option("-p, --priority <number>", "-100 to 100; above 0 before, below 0 after the others", "5")
    .option("-c, --correlation-id <uuid>", "default: a new one")
    .option("-d, --description <text>", "accepted and ignored")
    .option("--idempotency-key <key>", "the same key creates the task once")
    .action(action(async () => (await import("../commands/task-create.js")).taskCreate));
  task
    .command("get")
    .description("a task with its steps, attempts and errors")
    .argument(...TASK)
    .action(action(async () => (await import("../commands/task-get.js")).taskGet));
  task
    .command("list")
    .description("tasks, newest first")
    .option("-n, --namespace <name>", "of this namespace")
    .option("-s, --status <state>", "in this state, such as complete or blocked_by_failures")
    .option("-l, --limit <count>", "at most this many", whole(1, 1000), 20)
    .action(action(async () => (await import("../commands/task-list.js")).taskList));
  task
    .command("watch")
    .description("show each change until the task rests; exit code 1 unless it is complete")
    .argument(...TASK)
    .option("--timeout <seconds>", "give up after this long", seconds)
    .option("--interval <seconds>", "how often to look", seconds, 0.5)
    .action(action(async () => (await import("../commands/task-watch.js")).taskWatch));
  task
    .command("explain")
    .description("why a task is where it is, in words, and what can be done about it")
    .argument(...TASK)
    .action(action(async () => (await import("../commands/task-explain.js")).taskExplain));
  task
    .command("visualize")
    .description("the steps of a task with their states, as a Mermaid flowchart")
    .argument(...TASK)
    .option("-f, --format <format>", "mermaid or json", "mermaid")
    .option("--base-url <url>", "links the task to this address")
    .option("-o, --output <file>", "write to this file instead of stdout")
    .option("--graph-only", "the flowchart without Markdown around it")
    .action(action(async () => (await import("../commands/task-visualize.js")).taskVisualize));
  addTaskActions(task, action);
  addStepCommands(task, action);
}

function addTaskActions(task: Command, action: Bind): void {
  task
    .command("cancel")
    .description("cancel a task; handlers that run are told to stop")
    .argument(...TASK)
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --cancelled-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("../commands/task-cancel.js")).taskCancel));
  task
    .command("retry")
    .description("run every failed step again, with its attempts counted anew")
    .argument(...TASK)
    .requiredOption("-r, --reason <text>", "kept with the action")
    .option("-b, --reset-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("../commands/task-retry.js")).taskRetry));
  task
    .command("resolve")
    .description("close a task that was dealt with elsewhere; nothing of it runs any more")
    .argument(...TASK)
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --resolved-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("../commands/task-resolve.js")).taskResolve));
}

function addStepCommands(task: Command, action: Bind): void {
  task
    .command("steps")
    .description("the steps of a task")
    .argument("<task>", "the task's id")
    .action(action(async () => (await import("../commands/task-steps.js")).taskSteps));
  onStep(task, "step", "one step with its result").action(
    action(async () => (await import("../commands/task-step.js")).taskStep),
  );
  onStep(task, "step-audit", "what workers handed in for a step, newest first").action(
    action(async () => (await import("../commands/task-step.js")).taskStepAudit),
  );
  onStep(task, "reset-step", "run a failed step again, with its attempts counted anew")
    .requiredOption("-r, --reason <text>", "kept with the action")
    .option("-b, --reset-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("../commands/task-reset-step.js")).taskResetStep));
  onStep(task, "resolve-step", "declare a step done, whatever its state; its dependents go on")
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --resolved-by <name>", "who acts; default: cli-operator")
    .action(action(async () => (await import("../commands/task-resolve-step.js")).taskResolveStep));
  onStep(task, "complete-step", "complete a step with a result of yours, whatever its state")
    .requiredOption("--result <json>", "what dependents are to see")
    .option("--metadata <json>", "kept with the result")
    .option("-r, --reason <text>", "kept with the action")
    .option("-b, --completed-by <name>", "who acts; default: cli-operator")
    .action(
      action(async () => (await import("../commands/task-complete-step.js")).taskCompleteStep),
    );
}

function onStep(task: Command, name: string, description: string): Command {
  return task
    .command(name)
    .description(description)
    .argument("<task>", "the task's id")
    .argument("<step>", "the step's id, or its name in the task");
}
