/** The worker of the split figures as a process of its own: says `ready`, ends when its parent lets go. */
import { Engine } from "../core/src/bootstrap.js";
import { defaultConfig } from "../core/src/config/index.js";
import { createLogger } from "../core/src/observability/index.js";
import { linear4, typescriptHandlers } from "./linear4.js";

const [databaseUrl = ""] = process.argv.slice(2);
const engine = new Engine({
  databaseUrl,
  role: "worker",
  config: defaultConfig(),
  logger: createLogger({ level: "warn" }),
  templates: [linear4("ts")],
  handlers: typescriptHandlers(),
});
await engine.start();
process.on("disconnect", () => void engine.stop().then(() => process.exit(0)));
process.send?.("ready");
