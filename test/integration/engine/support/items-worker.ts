/**
 * A host of its own, for a test that kills it: starts one task of `items`, says its uuid on standard output, and runs
 * until it is killed.
 */
import { startTestEngine } from "../../../support/test-engine.js";
import { items, itemsTemplates } from "./items.js";

const [databaseUrl = "", context = "{}"] = process.argv.slice(2);
const host = await startTestEngine({
  databaseUrl,
  templates: itemsTemplates("typescript"),
  handlers: { "typescript.items": items },
});
const task = await host.create("items", JSON.parse(context));
process.stdout.write(`${task.taskUuid}\n`);
