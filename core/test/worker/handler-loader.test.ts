import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HandlerLoader, type HandlerLoadReport } from "../../src/worker/handler-loader.js";

const SDK = fileURLToPath(new URL("../../../sdk-ts/src/index.ts", import.meta.url));

let root: string;
let registry: HandlerRegistry;
let loader: HandlerLoader;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tasker-handlers-"));
  registry = new HandlerRegistry(ResolverChain.standard());
  loader = new HandlerLoader(registry, {
    standIns: {
      "@tasker-systems/tasker": pathToFileURL(SDK).href,
      "@tasker-core/sdk": pathToFileURL(SDK).href,
    },
  });
});

afterEach(async () => {
  await loader.close();
  await rm(root, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

const functional = (name: string, variable = "handler"): string =>
  `import { defineHandler } from ${JSON.stringify(SDK)};
   export const ${variable} = defineHandler(${JSON.stringify(name)}, {}, () => ({ from: ${JSON.stringify(name)} }));\n`;

const classBased = (name: string, className: string): string =>
  `import { StepHandler, type StepContext } from ${JSON.stringify(SDK)};
   export class ${className} extends StepHandler {
     static override handlerName = ${JSON.stringify(name)};
     async call(context: StepContext) { return this.success({ task: context.taskUuid }); }
   }\n`;

const names = (report: HandlerLoadReport): string[] => report.handlers.map(({ name }) => name);

const ESM = { "package.json": '{"type":"module"}' };

describe("HandlerLoader", () => {
  it("loads a file, with handlers exported in every way", async () => {
    await write({
      ...ESM,
      "all.ts": `${functional("named", "one")}
        ${classBased("in.a.class", "InClass")}
        export default defineHandler("the_default", {}, () => 1);
        export const list = [defineHandler("in_list", {}, () => 1)];
        export const unrelated = 42;
        export class Unnamed extends StepHandler { async call() { return this.success(); } }`,
    });
    const report = await loader.load([join(root, "all.ts")]);
    expect(report.problems).toEqual([]);
    expect(names(report).sort()).toEqual(["in.a.class", "in_list", "named", "the_default"]);
    expect(await registry.resolve("in_list")).not.toBeNull();
    expect(report.handlers[0]?.file).toBe(join(root, "all.ts"));
  });

  it("collects subscribers and publishers of handler files, each once", async () => {
    await write({
      ...ESM,
      "events.ts": `import { BasePublisher, BaseSubscriber, EventSubscriber, onEvent } from ${JSON.stringify(SDK)};
        export class Audit extends EventSubscriber { static override subscribeTo = "task.*"; }
        export class Watch extends BaseSubscriber { handle() {} }
        export class Shape extends BasePublisher { readonly publisherName = "Shape"; }
        onEvent("step.completed", () => {});`,
      "more.ts": `export { Audit } from "./events.js";\n${functional("a")}`,
    });
    const { events, handlers, problems } = await loader.load([root]);
    expect(problems).toEqual([]);
    expect(handlers.map(({ name }) => name)).toEqual(["a"]);
    expect(events.lifecycle.map(({ patterns }) => patterns)).toEqual([
      ["task.*"],
      ["step.completed"],
    ]);
    expect(events.subscribers.map((subscriber) => subscriber.constructor.name)).toEqual(["Watch"]);
    expect(events.publishers.map(({ publisherName }) => publisherName)).toEqual(["Shape"]);
  });

  it("maps an import of `x.js` to `x.ts`, and shares modules between files", async () => {
    await write({
      ...ESM,
      "shared.ts": "export const state = { loads: 0 }; state.loads++;",
      "a.ts": `import { state } from "./shared.js";\n${functional("a")}\nexport const seen = state;`,
      "sub/b.ts": `import { state } from "../shared.js";
        import { defineHandler } from ${JSON.stringify(SDK)};
        export default defineHandler("b", {}, () => { state.loads++; return { loads: state.loads }; });`,
    });
    const report = await loader.load([root]);
    expect(report.problems).toEqual([]);
    expect(names(report).sort()).toEqual(["a", "b"]);
  });

  it("loads a TypeScript file without a package.json, and a CommonJS one", async () => {
    await write({
      "plain.ts": functional("plain"),
      "old.cjs": `class Old { async call() { return { success: true }; } }
        Old.handlerName = "old"; exports.Old = Old;`,
    });
    const report = await loader.load([root]);
    expect(report.problems).toEqual([]);
    expect(names(report).sort()).toEqual(["old", "plain"]);
  });

  it("prefers a directory's own selection", async () => {
    await write({
      ...ESM,
      "examples/index.ts": `import { Linear } from "./linear.js"; export { NotListed } from "./linear.js";
        export const ALL_EXAMPLE_HANDLERS = [Linear];`,
      "examples/linear.ts":
        classBased("linear", "Linear") +
        classBased("x", "NotListed").split("\n").slice(1).join("\n"),
      "dsl_examples/index.ts": `import { handler } from "./f.js"; export const ALL_DSL_HANDLERS = [handler];`,
      "dsl_examples/f.ts": functional("functional"),
      "elsewhere.ts": functional("never_loaded"),
    });
    const report = await loader.load([root]);
    expect(report.problems).toEqual([]);
    expect(names(report)).toEqual(["linear", "functional"]);
  });

  it("takes every exported handler of an index without arrays", async () => {
    await write({
      ...ESM,
      "index.ts": `export * from "./a.js"; export { handler as second } from "./b.js";`,
      "a.ts": functional("a"),
      "b.ts": functional("b"),
    });
    expect(names(await loader.load([root])).sort()).toEqual(["a", "b"]);
  });

  it("searches a directory when no index registers anything, and skips what is no handler file", async () => {
    await write({
      ...ESM,
      "index.ts": "export const version = 1;",
      "deep/er/found.ts": functional("found"),
      "found.js": functional("found_js"),
      "_private.ts": functional("private"),
      "_folder/hidden.ts": functional("hidden"),
      "types.d.ts": "export declare const x: number;",
      "found.test.ts": "throw new Error('a test was imported');",
      "found.spec.ts": "throw new Error('a test was imported');",
      "node_modules/pkg/index.js": "throw new Error('a package was imported');",
    });
    await symlink(root, join(root, "deep", "circle"));
    const report = await loader.load([root]);
    expect(report.problems).toEqual([]);
    expect(names(report).sort()).toEqual(["found", "found_js"]);
  });

  it("reports a file that fails, with its cause, and loads the others", async () => {
    await write({
      ...ESM,
      "broken.ts": "export const x = ;",
      "missing.ts": 'import "./not-there.js";',
      "throws.ts": 'throw new Error("no configuration");',
      "works.ts": functional("works"),
    });
    const report = await loader.load([root]);
    expect(names(report)).toEqual(["works"]);
    const byFile = new Map(report.problems.map((problem) => [problem.context.file, problem]));
    expect(byFile.size).toBe(3);
    expect(byFile.get(join(root, "throws.ts"))?.message).toContain("no configuration");
    expect(byFile.get(join(root, "missing.ts"))?.message).toContain("not-there");
    const broken = byFile.get(join(root, "broken.ts"));
    expect(broken?.code).toBe("HANDLER_IMPORT_FAILED");
    expect(broken?.cause).toBeInstanceOf(Error);
  });

  it("reports a failing file once when the index and the search both meet it", async () => {
    await write({ ...ESM, "index.ts": 'throw new Error("index");', "a.ts": functional("a") });
    const report = await loader.load([root]);
    expect(names(report)).toEqual(["a"]);
    expect(report.problems).toHaveLength(1);
  });

  it("names both files of two handlers under one name, and keeps the first", async () => {
    await write({ ...ESM, "a.ts": functional("same"), "b.ts": functional("same") });
    const report = await loader.load([root]);
    expect(report.handlers).toEqual([{ name: "same", file: join(root, "a.ts") }]);
    expect(report.problems.map(({ code }) => code)).toEqual(["HANDLER_NAME_CONFLICT"]);
    expect(report.problems[0]?.message).toContain(join(root, "a.ts"));
    expect(report.problems[0]?.message).toContain(join(root, "b.ts"));
  });

  it("accepts the same handler exported from two files", async () => {
    await write({
      ...ESM,
      "a.ts": functional("one"),
      "b.ts": 'export { handler } from "./a.js";',
    });
    const report = await loader.load([root]);
    expect(report.problems).toEqual([]);
    expect(names(report)).toEqual(["one"]);
  });

  it("stands in for the SDK where a project has not installed it, and yields to one it has", async () => {
    await write({
      ...ESM,
      "old-name.ts": functional("old_name").replace(
        JSON.stringify(SDK),
        '"@tasker-systems/tasker"',
      ),
      "own/package.json": '{"type":"module"}',
      "own/node_modules/@tasker-core/sdk/package.json": '{"type":"module","exports":"./i.js"}',
      "own/node_modules/@tasker-core/sdk/i.js": `export const defineHandler = (handlerName) =>
        class { static handlerName = "own:" + handlerName; async call() {} };`,
      "own/new-name.ts": functional("x").replace(JSON.stringify(SDK), '"@tasker-core/sdk"'),
      "unknown.ts": 'import "@tasker-core/not-there";',
    });
    const report = await loader.load([root]);
    expect(names(report).sort()).toEqual(["old_name", "own:x"]);
    expect(report.problems.map(({ context }) => context.file)).toEqual([join(root, "unknown.ts")]);
  });

  it("takes a folder without a package.json for ES modules, so that the stand-in works there too", async () => {
    const file = functional("first_try").replace(JSON.stringify(SDK), '"@tasker-core/sdk"');
    await write({
      "shared.ts": "export const greeting: string = await Promise.resolve('hi');",
      "order.ts": `import { greeting } from "./shared.js";\n${file}\nexport const said = greeting;`,
    });
    const report = await loader.load([join(root, "order.ts")]);
    expect(report.problems).toEqual([]);
    expect(names(report)).toEqual(["first_try"]);
  });

  it("reports a path that does not exist", async () => {
    const report = await loader.load([join(root, "nowhere")]);
    expect(report.problems.map(({ code }) => code)).toEqual(["HANDLER_PATH_NOT_FOUND"]);
  });
});
