import { readFileSync } from "node:fs";
import { collectHandlers } from "@tasker-core/sdk/host";
import { afterAll, describe, expect, test } from "vitest";
import * as typescript from "../../../examples/polyglot/handlers/typescript/seed.js";
import { NativeBuilds, rustLibrary } from "../../support/native.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, yamlTemplate } from "../../support/test-engine.js";

const EXAMPLE = new URL("../../../examples/polyglot/", import.meta.url).pathname;
const rust = rustLibrary();

describe.skipIf(typeof rust === "string")("examples/polyglot", () => {
  const database = useTestDatabase({ maxConnections: 2 });
  const builds = new NativeBuilds();
  afterAll(() => builds.remove());

  test("one graph with steps in TypeScript, Python, Ruby, Rust and C", async () => {
    if (typeof rust === "string") throw new Error(rust);
    const text = readFileSync(`${EXAMPLE}polyglot.yaml`, "utf8");
    const classes = collectHandlers(typescript);
    const common = { sha256: "", slots: 2, processes: 1, callables: [], settings: {} };
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: [yamlTemplate(text.replace("examples", "tests"))],
      handlers: Object.fromEntries(classes.map((handler) => [handler.handlerName, handler])),
      languages: ["python", "ruby"],
      handlerFolders: { python: `${EXAMPLE}handlers/python`, ruby: `${EXAMPLE}handlers/ruby` },
      configure: (config) => {
        const c = builds.c("examples/native-c/full.c");
        config.worker.native = [
          { ...common, name: "c", path: c, isolated: false },
          { ...common, name: "rust", path: rust.path, isolated: true },
        ];
      },
    });
    try {
      const { state, steps } = await host.run("polyglot", { n: 5 });
      expect(steps.map(({ name, results }) => [name, results?.result])).toEqual([
        ["seed", { value: 5 }],
        ["python", { value: 10 }],
        ["ruby", { value: 25 }],
        ["rust", { value: 36 }],
        ["c", { value: 42 }],
      ]);
      expect(state).toBe("complete");
    } finally {
      await host.engine.stop();
    }
  });
});
