import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, createCliProject } from "./cli-support.js";

/** A Ruby program that makes itself a worker, defines a task in code, creates it over REST and waits for its end. */
const database = useTestDatabase();
let project: CliProject;

const LIB = fileURLToPath(new URL("../../ruby-bridge/lib", import.meta.url));
const MAIN = fileURLToPath(new URL("../../core/src/cli/main.ts", import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

const PROGRAM = `
require 'tasker'

class Greeting < Tasker::TaskHandler::Base
  register_handler 'greet', namespace_name: 'ruby_program'
  define_step_templates do |templates|
    templates.define(name: 'hello')
    templates.define(name: 'shout', depends_on_step: 'hello')
  end

  class HelloHandler < Tasker::StepHandler::Base
    def process(task, _sequence, _step) = {text: "hello #{task.context['name']}"}
  end

  class ShoutHandler < Tasker::StepHandler::Base
    def process(_task, sequence, _step) = {text: step_results(sequence, 'hello')['text'].upcase}
  end
end

registry = TaskerCore::Registry::HandlerRegistry.instance
[Greeting::HelloHandler, Greeting::ShoutHandler].each { |klass| registry.register_handler(klass.name, klass) }
worker = TaskerCore::Worker::Bootstrap.start!(slots: 2)
id = Tasker::HandlerFactory.instance.get('greet', namespace_name: 'ruby_program').run_task(context: {name: 'Ada'})
client = TaskerCore::Client
task = client.get_task(id)
until task.execution_status == 'all_complete' && task.status == 'complete'
  sleep 0.1
  task = client.get_task(id)
end
steps = client.list_task_steps(id)
last = client.get_step(id, steps.find { |step| step.name == 'shout' }.step_uuid)
puts JSON.generate({
  class: task.class.name, version: task.version, names: steps.map(&:name).sort, text: last.results.dig(:result, :text),
  audited: client.get_step_audit_history(id, last.step_uuid).map(&:success), listed: client.list_tasks(namespace: 'ruby_program').tasks.size,
  health: client.health_check.status, host: worker.status[:host_pid]
})
begin
  client.cancel_task(id)
rescue TaskerCore::Errors::ValidationError => e
  puts e.message
end
begin
  client.get_task('00000000-0000-7000-8000-000000000000')
rescue TaskerCore::Errors::NotFoundError => e
  puts e.message
end
worker.shutdown!
`;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({ "program.rb": PROGRAM });
});
afterAll(() => project.remove());

it("a program starts its own worker and runs its own task", async () => {
  const server = project.start(["server", "--json"]);
  const ready = await waitFor(
    () =>
      server
        .stdout()
        .split("\n")
        .find((line) => line.includes('"ready"')),
    {
      timeoutMs: 30_000,
    },
  );
  const url = /http:\/\/[^"]+/.exec(ready ?? "")?.[0] ?? "";
  expect(url).not.toBe("");

  const program = spawn("ruby", ["-W", "-I", LIB, "program.rb"], {
    cwd: project.directory,
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      TASKER_ORCHESTRATION_URL: url,
      TASKER_WEB_BIND_ADDRESS: "127.0.0.1:0",
      TASKER_BIN: `${process.execPath} --conditions=@tasker-core/source --import ${TSX} ${MAIN}`,
    },
  });
  let stdout = "";
  let stderr = "";
  program.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  program.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((settle) => program.once("close", settle));
  expect(code, stderr).toBe(0);
  const [answer = "", cancelled, missing] = stdout.trim().split("\n");
  const { host, ...told } = JSON.parse(answer) as Record<string, unknown>;
  expect(told).toEqual({
    class: "TaskerCore::Types::ClientTaskResponse",
    version: "0.1.0",
    names: ["hello", "shout"],
    text: "HELLO ADA",
    audited: [true],
    listed: 1,
    health: "healthy",
  });
  expect(cancelled).toContain("Cannot cancel a completed task");
  expect(missing).toContain("Resource not found");
  expect(() => process.kill(host as number, 0), "its host is left over").toThrow();
  server.child.kill("SIGTERM");
  expect((await server.result).code).toBe(0);
}, 120_000);
