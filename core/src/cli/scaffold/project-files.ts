// The files of a new project. Each language has one step, so that the first task shows how results travel.

export const LANGUAGES = ["typescript", "python", "ruby"] as const;
export type Language = (typeof LANGUAGES)[number];

export interface ProjectOptions {
  readonly name: string;
  readonly languages: readonly Language[];
  /** What package.json asks npm for, by package. */
  readonly dependencies: Readonly<Record<string, string>>;
}

const STEPS: Readonly<Record<Language, { readonly step: string; readonly callable: string }>> = {
  typescript: { step: "greet", callable: "welcome.greet" },
  python: { step: "count", callable: "welcome.count" },
  ruby: { step: "sign", callable: "welcome.sign" },
};

/** Text by path. */
export function projectFiles(options: ProjectOptions): Record<string, string> {
  const files: Record<string, string> = {
    "package.json": packageJson(options),
    "README.md": readme(options),
    ".gitignore": "node_modules/\n.tasker/\n__pycache__/\n",
    ".env": `${options.languages.map((language) => `${language.toUpperCase()}_HANDLER_PATH=handlers/${language}`).join("\n")}\n`,
    "config/tasks/welcome.yaml": template(options.languages),
  };
  for (const language of options.languages) Object.assign(files, HANDLER_FILES[language]);
  return files;
}

function template(languages: readonly Language[]): string {
  const steps = languages.map((language, at) => {
    const { step, callable } = STEPS[language];
    const before = languages.slice(0, at).map((earlier) => STEPS[earlier].step);
    const dependencies = before.length === 0 ? "" : `\n    dependencies: [${before.join(", ")}]`;
    return `  - name: ${step}\n    handler: { callable: ${callable} }${dependencies}`;
  });
  return `name: welcome
namespace_name: default
version: 1.0.0
identity_strategy: always_unique
input_schema:
  type: object
  required: [name]
  properties:
    name: { type: string, minLength: 1 }
steps:
${steps.join("\n")}
`;
}

function packageJson({ name, dependencies, languages }: ProjectOptions): string {
  const tests: Readonly<Record<Language, string>> = {
    typescript: "node --import tsx --test tests/typescript/*.test.ts",
    python: "python3 -m unittest discover -s tests/python",
    ruby: "ruby tests/ruby/sign_test.rb",
  };
  const manifest = {
    name,
    private: true,
    type: "module",
    scripts: {
      dev: "tasker dev",
      test: languages.map((language) => `npm run test:${language}`).join(" && "),
      ...Object.fromEntries(languages.map((each) => [`test:${each}`, tests[each]])),
    },
    dependencies,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function readme({ name, languages }: ProjectOptions): string {
  const rows = languages.map(
    (language) => `| \`${STEPS[language].step}\` | \`handlers/${language}/\` |`,
  );
  return `# ${name}

A [Tasker](https://www.npmjs.com/package/@tasker-core/core) project: \`config/tasks/welcome.yaml\` is a workflow whose steps run in
${languages.join(", ")}.

| step | handler |
|---|---|
${rows.join("\n")}

\`\`\`sh
npx tasker doctor     # what is missing on this machine
npx tasker dev        # database, orchestrator and workers; changed handlers are live at once
npx tasker run config/tasks/welcome.yaml --wait --input '{"name": "Ada"}'
npm test              # the handlers on their own, without a database
\`\`\`

\`npx tasker task list\` shows what ran, \`npx tasker task explain <id>\` says why a task waits. \`npx tasker generate handler\` writes the
handler of a new step.
`;
}

const HANDLER_FILES: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  typescript: {
    "handlers/typescript/greet.ts": `import { defineHandler, PermanentError } from "@tasker-core/sdk";

export const greet = defineHandler("welcome.greet", { inputs: { name: "name" } }, ({ name }) => {
  if (typeof name !== "string" || name === "") throw new PermanentError("Whom shall I greet?");
  return { greeting: \`Hello, \${name}!\` };
});
`,
    "tests/typescript/greet.test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
import { StepContext, type StepContextParams } from "@tasker-core/sdk";
import { greet } from "../../handlers/typescript/greet.js";

function contextOf(inputData: Record<string, unknown>): StepContext {
  const ids = { taskUuid: "task", stepUuid: "step", correlationId: "test", handlerName: "test" };
  const nothing = { dependencyResults: {}, stepConfig: {}, stepInputs: {}, retryCount: 0, maxRetries: 3 };
  return new StepContext({ ...ids, ...nothing, inputData, event: {} } as StepContextParams);
}

test("greets by name", async () => {
  const { success, result } = await new greet().call(contextOf({ name: "Ada" }));
  assert.deepEqual({ success, result }, { success: true, result: { greeting: "Hello, Ada!" } });
});

test("refuses nobody, for good", async () => {
  const { success, retryable } = await new greet().call(contextOf({}));
  assert.deepEqual({ success, retryable }, { success: false, retryable: false });
});
`,
  },
  python: {
    "handlers/python/count.py": `from tasker_core.step_handler import inputs, step_handler


@step_handler("welcome.count")
@inputs("name")
def count(name):
    return {"letters": sum(letter.isalpha() for letter in name)}
`,
    "tests/python/test_count.py": `import os
import sys
import unittest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "handlers", "python"))
# Where npm put the bridge, unless \`pip install tasker-bridge\` did.
sys.path.append(os.path.join(ROOT, "node_modules", "@tasker-core", "core", "python-bridge", "src"))

from count import count  # noqa: E402
from tasker_core.testing import run_step  # noqa: E402


class CountTest(unittest.TestCase):
    def test_counts_letters(self):
        self.assertEqual(run_step(count, context={"name": "Ada 1"}).result, {"letters": 3})


if __name__ == "__main__":
    unittest.main()
`,
  },
  ruby: {
    "handlers/ruby/sign_handler.rb": `# frozen_string_literal: true

include TaskerCore::StepHandler::Functional

SignHandler = step_handler("welcome.sign", inputs: [:name]) do |name:, context:|
  {text: "Signed for #{name}", signed_by: "Ruby"}
end
`,
    "tests/ruby/sign_test.rb": `# frozen_string_literal: true

# Where npm put the bridge, unless \`gem install tasker-bridge\` did.
$LOAD_PATH << File.expand_path("../../node_modules/@tasker-core/core/ruby-bridge/lib", __dir__)
require "minitest/autorun"
require "tasker_core"
require "tasker_core/testing"
require_relative "../../handlers/ruby/sign_handler"

class SignTest < Minitest::Test
  def test_signs_for_somebody
    signed = TaskerCore::Testing.run_step(SignHandler, context: {name: "Ada"})
    assert_equal "Signed for Ada", signed.result[:text]
  end
end
`,
  },
};
