import { expect, it } from "vitest";
import type { TaskTemplate } from "../../src/model/index.js";
import { createLogger } from "../../src/observability/index.js";
import { CodeTemplates } from "../../src/worker/code-templates.js";

const order = {
  name: "order",
  namespace_name: "shop",
  version: "1.0.0",
  steps: [{ name: "charge", handler: { callable: "charge" } }],
};

function rig(register?: () => Promise<void>) {
  const registered: TaskTemplate[] = [];
  const log: { level: number; msg: string }[] = [];
  const templates = new CodeTemplates({
    reading: {},
    register:
      register ??
      ((template) => {
        registered.push(template);
        return Promise.resolve();
      }),
    logger: createLogger({
      level: "debug",
      destination: { write: (line: string) => void log.push(JSON.parse(line)) },
    }),
  });
  return { templates, registered, log };
}

it("reads a definition as it would read the file, and registers it once", async () => {
  const { templates, registered, log } = rig();
  await templates.define("ruby", [order]);
  await templates.define("ruby", [order]);
  expect(registered.map(({ name, version }) => `${name} ${version}`)).toEqual(["order 1.0.0"]);
  expect(registered[0]?.steps[0]?.handler.callable).toBe("charge");
  expect(log).toEqual([]);
});

it("registers a changed definition again", async () => {
  const { templates, registered } = rig();
  await templates.define("ruby", [order]);
  await templates.define("ruby", [{ ...order, description: "orders" }]);
  expect(registered.map(({ description }) => description)).toEqual([null, "orders"]);
});

it("says what is wrong with a definition and goes on with the others", async () => {
  const { templates, registered, log } = rig();
  await templates.define("ruby", [{ ...order, name: "bad", version: "one" }, order]);
  expect(registered.map(({ name }) => name)).toEqual(["order"]);
  expect(log.map(({ msg }) => msg).join()).toMatch(/ruby template bad:4:\d+: error: .*version/);
});

it("tries again what could not be stored", async () => {
  let isDown = true;
  let stored = 0;
  const { templates } = rig(async () => {
    if (isDown) throw new Error("no connection");
    stored++;
  });
  await expect(templates.define("ruby", [order])).rejects.toThrow("no connection");
  isDown = false;
  await templates.define("ruby", [order]);
  expect(stored).toBe(1);
});
