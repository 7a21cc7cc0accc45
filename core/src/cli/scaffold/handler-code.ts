import type { StepDefinition, TaskTemplate } from "../../model/index.js";
import type { Language } from "./project-files.js";
import { pascalCase } from "./schema-types.js";

/** Handlers of these steps, to be filled in. */
export function handlerCode(steps: readonly StepDefinition[], language: Language): string {
  const { head, one, gap } = CODE[language];
  return `${head}${gap}${steps.map(one).join(gap)}`;
}

/** Tests of these handlers, that fail until somebody has said what they should do. */
export function testCode(
  steps: readonly StepDefinition[],
  language: Language,
  module: string,
): string {
  return TESTS[language](steps, module);
}

/** Where a language looks for the file of these handlers. */
export function handlerFile(template: TaskTemplate, language: Language): string {
  const name = snakeCase(template.name);
  return {
    typescript: `${template.name.replaceAll("_", "-")}.ts`,
    python: `${name}.py`,
    ruby: `${name}_handler.rb`,
  }[language];
}

export function testFile(template: TaskTemplate, language: Language): string {
  const name = snakeCase(template.name);
  return {
    typescript: `${template.name.replaceAll("_", "-")}.test.ts`,
    python: `test_${name}.py`,
    ruby: `${name}_test.rb`,
  }[language];
}

interface Code {
  readonly head: string;
  readonly gap: string;
  readonly one: (step: StepDefinition) => string;
}

const CODE: Readonly<Record<Language, Code>> = {
  typescript: {
    head: 'import { PermanentError, type StepContext, StepHandler, type StepHandlerResult } from "@tasker-core/sdk";\n',
    gap: "\n",
    one: ({
      name,
      handler,
      dependencies,
      description,
    }) => `${docOf("/** ", description, " */")}export class ${pascalCase(name)}Handler extends StepHandler {
  static override readonly handlerName = "${handler.callable}";

  async call(context: StepContext): Promise<StepHandlerResult> {
${dependencies.map((each) => `    const ${camelCase(each)} = context.dependencyResults["${each}"];\n`).join("")}    throw new PermanentError("${handler.callable} is not written yet");
  }
}
`,
  },
  python: {
    head: "from tasker_core.errors import PermanentError\nfrom tasker_core.step_handler import depends_on, step_handler\n",
    gap: "\n\n",
    one: ({ name, handler, dependencies, description }) => {
      const arguments_ = dependencies.map((each) => `${snakeCase(each)}="${each}"`);
      const depends = dependencies.length === 0 ? "" : `@depends_on(${arguments_.join(", ")})\n`;
      const parameters = [...dependencies.map(snakeCase), "context"].join(", ");
      return `@step_handler("${handler.callable}")\n${depends}def ${snakeCase(name)}(${parameters}):\n${docOf('    """', description, '"""')}    raise PermanentError("${handler.callable} is not written yet")\n`;
    },
  },
  ruby: {
    head: "# frozen_string_literal: true\n\ninclude TaskerCore::StepHandler::Functional\n",
    gap: "\n",
    one: ({ name, handler, dependencies, description }) => {
      const pairs = dependencies.map((each) => `${snakeCase(each)}: "${each}"`);
      const depends = dependencies.length === 0 ? "" : `, depends_on: {${pairs.join(", ")}}`;
      const parameters = [...dependencies.map((each) => `${snakeCase(each)}:`), "context:"].join(
        ", ",
      );
      return `${docOf("# ", description, "")}${pascalCase(name)}Handler = step_handler("${handler.callable}"${depends}) do |${parameters}|\n  raise TaskerCore::Errors::PermanentError, "${handler.callable} is not written yet"\nend\n`;
    },
  },
};

const TESTS: Readonly<
  Record<Language, (steps: readonly StepDefinition[], module: string) => string>
> = {
  typescript: (steps, module) => `import assert from "node:assert/strict";
import { test } from "node:test";
import { StepContext, type StepContextParams } from "@tasker-core/sdk";
import { ${steps.map(({ name }) => `${pascalCase(name)}Handler`).join(", ")} } from "${module}";

function contextOf(inputData: Record<string, unknown>, dependencyResults: Record<string, unknown>): StepContext {
  const ids = { taskUuid: "task", stepUuid: "step", correlationId: "test", handlerName: "test" };
  const nothing = { stepConfig: {}, stepInputs: {}, retryCount: 0, maxRetries: 3 };
  return new StepContext({ ...ids, ...nothing, inputData, dependencyResults, event: {} } as StepContextParams);
}
${steps
  .map(
    ({ name, handler, dependencies }) => `
test("${handler.callable}", async () => {
  const context = contextOf({}, { ${dependencies.map((each) => `"${each}": {}`).join(", ")} });
  const result = await new ${pascalCase(name)}Handler().call(context);
  assert.equal(result.success, true);
});
`,
  )
  .join("")}`,
  python: (
    steps,
    module,
  ) => `from ${module} import ${steps.map(({ name }) => snakeCase(name)).join(", ")}
from tasker_core.testing import run_step
${steps
  .map(
    ({ name, dependencies }) => `

def test_${snakeCase(name)}():
    result = run_step(${snakeCase(name)}, context={}, dependencies={${dependencies.map((each) => `"${each}": {}`).join(", ")}})
    assert result.success
`,
  )
  .join("")}`,
  ruby: (steps, module) => `# frozen_string_literal: true

require "minitest/autorun"
require "tasker_core"
require "tasker_core/testing"
require_relative "${module}"

class ${steps.length === 1 && steps[0] !== undefined ? pascalCase(steps[0].name) : "Handlers"}Test < Minitest::Test
${steps
  .map(
    ({ name, dependencies }) => `  def test_${snakeCase(name)}
    result = TaskerCore::Testing.run_step(${pascalCase(name)}Handler, context: {}, dependencies: {${dependencies.map((each) => `${snakeCase(each)}: {}`).join(", ")}})
    assert result.success
  end
`,
  )
  .join("\n")}end
`,
};

function docOf(open: string, text: string | null, close: string): string {
  return text === null
    ? ""
    : `${open}${text.replace(/\s+/g, " ").replaceAll("*/", "* /")}${close}\n`;
}

function snakeCase(text: string): string {
  const words = text.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
  return words.replace(/[^a-z0-9]+/g, "_").replace(/^(?=[0-9])/, "s_");
}

function camelCase(text: string): string {
  const pascal = pascalCase(text);
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}
