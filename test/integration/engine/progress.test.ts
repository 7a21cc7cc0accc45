import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

const PYTHON = `
from tasker_core.step_handler import StepHandler

class Beats(StepHandler):
    handler_name = "progress.python"

    def call(self, context):
        for share in (0.25, 0.5):
            context.heartbeat(share)
        return self.success({})
`;
const RUBY = `
include TaskerCore::StepHandler::Functional

BeatsHandler = step_handler("progress.ruby") do |context:|
  context.heartbeat(0.5)
  sleep 0.5
  {}
end
`;

const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tasker-progress-"));
  for (const [path, text] of [
    ["python/beats.py", PYTHON],
    ["ruby/beats.rb", RUBY],
  ] as const) {
    await mkdir(join(directory, path, ".."), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      python: [{ name: "only", callable: "progress.python" }],
      ruby: [{ name: "only", callable: "progress.ruby" }],
    },
    languages: ["python", "ruby"],
    handlerFolders: { python: join(directory, "python"), ruby: join(directory, "ruby") },
  });
});
afterAll(async () => {
  await host?.engine.stop();
  await rm(directory, { recursive: true });
});

test.each([
  ["python", [0.25, 0.5]],
  ["ruby", [0.5]],
] as const)(
  "what a %s handler says about its progress is told while it runs",
  async (language, shares) => {
    const seen: [string, unknown][] = [];
    const stop = host.engine.events.subscribe(["step.progress", "step.completed"], (event) => {
      if (event.task_name === language) seen.push([event.type, event.progress]);
    });
    expect((await host.run(language)).state).toBe("complete");
    await waitFor(() => seen.length === shares.length + 1);
    expect(seen).toEqual([
      ...shares.map((share) => ["step.progress", share]),
      ["step.completed", undefined],
    ]);
    stop();
  },
);
